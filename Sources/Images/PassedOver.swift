import LinuxKernel

/// Something beside the images of an archive or a layout that is not taken, and why: a signature, an image for another
/// processor, one that is damaged. It harms only who asks for it by its name.
package struct PassedOver: Sendable, Equatable, CustomStringConvertible {
  /// References in the archive's own words, and a tag without a repository; not checked.
  let names: [String]
  let tag: String?
  /// What it is called when it has no name: its digest.
  let label: String
  /// Its platform, or what kind of artifact it is; empty when nothing says so.
  let kind: String
  /// Why it was not taken, and what can be done about it.
  let why: String
  let hint: String

  init(names: [String], tag: String?, label: String, kind: String = "", _ reason: ImageError) {
    self.names = names
    self.tag = tag
    self.label = label
    self.kind = kind
    why = reason.message
    hint = reason.hint
  }

  init(_ image: ArchiveImage, _ reason: ImageError) {
    self.init(
      names: image.names, tag: image.tag, label: image.manifestDigest?.short ?? "an image without a name", reason)
  }

  /// Whether a failure is the image's own. A host without memory fails everything.
  static func isReason(_ error: ImageError) -> Bool {
    switch error.kind {
    case .invalid, .notFound: true
    case .inUse, .host, .exhausted: false
    }
  }

  private var title: String {
    let name = printable((names.first ?? tag.map { ":" + $0 } ?? label).utf8.prefix(300))
    return kind.isEmpty ? name : "\(name) (\(printable(kind.utf8.prefix(200))))"
  }

  /// `case/two:arm (linux/arm64): …`; what an archive wrote is made harmless for terminals.
  package var description: String { "\(title): \(printable(why.utf8.prefix(1000)))" }

  /// The error of an import for which nothing is left, or which asked for this one.
  var error: ImageError { .invalid(printable(why.utf8), hint: printable(hint.utf8)) }

  /// The error when all that there was is passed over.
  static func nothingLeft(_ all: [PassedOver]) -> ImageError {
    if all.count == 1, let only = all.first { return only.error }
    let shown = all.prefix(8).map(\.description) + (all.count > 8 ? ["and \(all.count - 8) more"] : [])
    return .invalid(
      "none of the \(all.count) images in it can be taken: \(shown.joined(separator: "; "))",
      hint: all.first { !$0.hint.isEmpty }.map { printable($0.hint.utf8) } ?? "")
  }

  func write(to wire: inout WireWriter) {
    wire.put(list: names) { $0.put($1) }
    wire.put(tag) { $0.put($1) }
    for text in [label, kind, why, hint] { wire.put(text) }
  }

  init(from wire: inout WireReader) throws(ImageError) {
    names = try wire.list { (wire) throws(ImageError) in try wire.text() }
    tag = try wire.optional { (wire) throws(ImageError) in try wire.text() }
    label = try wire.text()
    kind = try wire.text()
    why = try wire.text()
    hint = try wire.text()
  }
}
