import LinuxKernel

/// Which images of an archive are imported, and under which names.
struct ImageSelection {
  private(set) var chosen: [(image: ArchiveImage, references: [ImageReference])] = []
  /// What lies beside them.
  private(set) var passedOver: [PassedOver]

  /// Without `wanted`, every image under its own names; with it, the one that it names, or the only one there is.
  init(of contents: ArchiveContents, as wanted: ImageReference?) throws(ImageError) {
    passedOver = contents.passedOver
    guard let wanted else {
      try takeAll(contents.images)
      return
    }
    let image = try take(wanted, of: contents)
    if let digest = wanted.digest, image.manifestDigest != digest {
      throw .invalid(
        "the digest of its manifest is \(image.manifestDigest?.description ?? "not known"), but \(digest) is asked for")
    }
    chosen = [(image, [wanted])]
  }

  private mutating func takeAll(_ images: [ArchiveImage]) throws(ImageError) {
    for image in images {
      do throws(ImageError) {
        let names = try ImageSelection.references(image.names)
        guard !names.isEmpty || image.appc != nil else {
          throw .invalid(
            "an image in it has no name" + (image.tag.map { ", only the tag \(printable($0.utf8))" } ?? ""),
            hint: "name it: image import ARCHIVE NAME:TAG")
        }
        chosen.append((image, names))
      } catch {
        passedOver.append(PassedOver(image, error))
      }
    }
    if chosen.isEmpty { throw PassedOver.nothingLeft(passedOver) }
  }

  /// The image that `wanted` names. What is asked for and cannot be taken is the error; the only image there is may be
  /// given any name.
  private mutating func take(_ wanted: ImageReference, of contents: ArchiveContents) throws(ImageError) -> ArchiveImage
  {
    func isNamed(_ names: [String]) -> Bool { ((try? ImageSelection.references(names)) ?? []).contains(wanted) }
    func isTagged(_ tag: String?) -> Bool {
      guard let tag, let wantedTag = wanted.tag else { return false }
      return tag.utf8.elementsEqual(wantedTag.utf8)
    }
    let images = contents.images
    let named =
      images.first { wanted.digest != nil && $0.manifestDigest == wanted.digest } ?? images.first { isNamed($0.names) }
    if let named {
      // Neighbours with other names are none of anybody's business.
      passedOver.removeAll { !isNamed($0.names) }
      return named
    }
    if let lost = passedOver.first(where: { isNamed($0.names) }) { throw lost.error }
    let tagged = images.filter { isTagged($0.tag) }
    if tagged.count == 1 {
      passedOver.removeAll { !isTagged($0.tag) }
      return tagged[0]
    }
    if tagged.isEmpty, let lost = passedOver.first(where: { isTagged($0.tag) }) { throw lost.error }
    if images.count == 1 { return images[0] }
    if images.isEmpty { throw PassedOver.nothingLeft(passedOver) }
    let names = images.map { image in
      (try? ImageSelection.references(image.names))?.first?.description ?? image.tag.map { ":" + printable($0.utf8) }
        ?? "unnamed"
    }
    throw .invalid("it holds \(images.count) images and none is \(wanted): \(names.joined(separator: ", "))")
  }

  private static func references(_ names: [String]) throws(ImageError) -> [ImageReference] {
    var result: [ImageReference] = []
    var seen: Set<ImageReference> = []
    for name in names {
      do throws(ReferenceError) {
        let reference = try ImageReference(name)
        if seen.insert(reference).inserted { result.append(reference) }
      } catch {
        throw .invalid(
          "the archive names an image \"\(printable(name.utf8.prefix(300)))\": \(printable(error.why.utf8))",
          hint: "name it yourself: image import ARCHIVE NAME:TAG")
      }
      // Nobody gives an image so many names, and every command reads them all.
      guard result.count <= ReferenceTable.maximumNames else {
        throw .invalid(
          "the archive gives an image more than \(ReferenceTable.maximumNames) names (\(names.count))",
          hint: "name it yourself: image import ARCHIVE NAME:TAG")
      }
    }
    return result
  }
}
