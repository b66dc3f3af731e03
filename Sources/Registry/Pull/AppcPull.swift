import Glibc
import HTTP1
import Images
import LinuxKernel

/// Where AppC images are looked for that the store lacks.
package struct AppcPlaces: Sendable {
  /// `--appc-store`.
  package var directory: String?
  /// `--appc-discovery-prefix`.
  package var prefix: String?

  package init(directory: String?, prefix: String?) {
    self.directory = directory
    self.prefix = prefix
  }

  package var isEmpty: Bool { directory == nil && prefix == nil }
}

/// Finds AppC images and imports them, and whatever they depend on the same way.
///
/// No credential is ever shown for one: who serves them serves everybody.
package struct AppcPull {
  let store: ImageStore
  let places: AppcPlaces
  let access: RegistryAccess
  let interruption: Int32?
  let tell: (PullProgress) -> Void

  /// Images that depend on one another this far, and all together: more is a mistake, or malice.
  private static let deepest = 16
  private static let most = 256
  /// How long another pull is waited for that may wait for this one in turn.
  private static let patience: UInt64 = 1800 * 1_000_000_000

  /// An image that is being found, and the URL that is held for it.
  private struct Step {
    let query: AppcQuery
    var url: String?
  }

  /// How many images were looked for.
  private final class Count {
    var value = 0
  }
  private let count = Count()

  package init(
    into store: ImageStore, places: AppcPlaces, access: RegistryAccess, interruption: Int32? = nil,
    tell: @escaping (PullProgress) -> Void
  ) {
    self.store = store
    self.places = places
    self.access = access
    self.interruption = interruption
    self.tell = tell
  }

  /// Finds the image, whether or not the store has it, and imports it.
  package func run(_ query: AppcQuery) throws(RegistryError) -> StoredImage {
    do throws(RegistryError) { return try find(query, size: nil, above: []) } catch {
      throw error.during("find the AppC image \(query)")
    }
  }

  /// Imports an archive; where it is an AppC image, what it depends on is found.
  package func importArchive(
    _ path: String, as reference: ImageReference?, mayBeRoot: Bool, passedOver: (PassedOver) -> Void
  ) throws(RegistryError) -> [StoredImage] {
    try keepingKind { (provide) throws(ImageError) in
      try store.importArchive(
        path, as: reference, mayBeRoot: mayBeRoot, appc: AppcImport(provide: provide), interruption: interruption,
        passedOver: passedOver
      ) { tell(.importing($0)) }
    }
  }

  private typealias Provider = (AppcDependency) throws(ImageError) -> StoredImage?

  private func chain(_ above: [Step], _ query: AppcQuery) -> String {
    (above.map(\.query) + [query]).map(\.description).joined(separator: ", which depends on ")
  }

  /// Runs an import. What goes wrong while a dependency is found keeps the kind that it has here.
  private func keepingKind<T>(
    above: [Step] = [], _ body: (@escaping Provider) throws(ImageError) -> T
  ) throws(RegistryError) -> T {
    var failure: RegistryError?
    do throws(ImageError) {
      return try body { (dependency) throws(ImageError) in
        do throws(RegistryError) { return try find(dependency.query, size: dependency.size, above: above) } catch {
          failure = error
          throw error.image ?? ImageError(.invalid, why: error.message, hint: error.hint)
        }
      }
    } catch {
      let own = RegistryError(error)
      throw failure.map { own.keeping(kindOf: $0) } ?? own
    }
  }

  private func find(_ query: AppcQuery, size: UInt64?, above: [Step]) throws(RegistryError) -> StoredImage {
    if above.contains(where: { $0.query == query }) {
      throw .invalid("a cycle of dependencies: \(chain(above, query))")
    }
    guard above.count < AppcPull.deepest else { throw .invalid("dependencies too deep: \(chain(above, query))") }
    count.value += 1
    guard count.value <= AppcPull.most else { throw .invalid("it is made of more than \(AppcPull.most) images") }
    var refusal: RegistryError?
    var looked: [String] = []
    if let directory = places.directory {
      let files = try Registry.store { () throws(ImageError) in
        try AppcDirectory(directory).candidates(query, platform: store.platform)
      }
      for file in files {
        do throws(RegistryError) { return try take(file, size: size, above + [Step(query: query)]) } catch {
          // Another file may be the one.
          guard error.image?.kind == .invalid, file != files.last || places.prefix != nil else { throw error }
          refusal = refusal ?? error
        }
      }
      if files.isEmpty { looked.append(directory) }
    }
    if let prefix = places.prefix {
      for name in try Registry.store({ () throws(ImageError) in try query.fileNames(for: store.platform) }) {
        let text = prefix + name
        guard let address = WebAddress(text.utf8) else {
          throw RegistryError(
            .configuration, why: "--appc-discovery-prefix \(printable(prefix.utf8)): no URL of http or https",
            hint: "https://example.com/images/ is one, for example")
        }
        if let image = try fetch(address, query, size: size, above: above) { return image }
        looked.append(address.text)
      }
    }
    if let refusal { throw refusal }
    throw RegistryError(
      .notFound,
      why: looked.isEmpty ? "it is not in the image store" : "there is none in \(looked.joined(separator: ", "))",
      hint:
        "it is looked for as NAME-VERSION-OS-ARCH.aci, of which \((try? query.fileNames(for: store.platform))?.first ?? "") is one"
    )
  }

  /// Imports the file as the last of `steps`.
  private func take(_ file: String, size: UInt64?, _ steps: [Step]) throws(RegistryError) -> StoredImage {
    if let size {
      let found = try kernel("look at \(file)") { () throws(Errno) in try status(of: file, followLinks: true) }
      // Of what lies unpacked nobody knows how long it was.
      guard found.isDirectory || found.size == size else {
        throw RegistryError(
          ImageError(.invalid, why: "\(file) has \(found.size) bytes, and \(size) are stated of the dependency"))
      }
    }
    let images = try keepingKind(above: steps) { (provide) throws(ImageError) in
      try store.importArchive(
        file, as: nil, appc: AppcImport(wanted: steps.last?.query, provide: provide), interruption: interruption
      ) { tell(.importing($0)) }
    }
    guard let image = images.first else { throw .invalid("it holds no image") }
    return image
  }

  /// Fetches an ACI and imports it; `nil` when the server has none. Two that want one do the work once.
  private func fetch(_ address: WebAddress, _ query: AppcQuery, size: UInt64?, above: [Step]) throws(RegistryError)
    -> StoredImage?
  {
    // It would wait for itself.
    if above.contains(where: { $0.url == address.text }) {
      throw .invalid("a cycle of dependencies: \(chain(above, query))")
    }
    var hasWaited = false
    let begun = Clock.now
    let directory = try Registry.store { () throws(ImageError) in
      try store.pullDirectory(forAppc: address.text, interruption: interruption) { () throws(ImageError) in
        if !hasWaited { tell(.waiting) }
        hasWaited = true
        guard above.isEmpty || Clock.now - begun < AppcPull.patience else {
          throw ImageError(.inUse, why: "another pull of \(address.text) takes longer than half an hour")
        }
      }
    }
    // What was cut is of use to who tries again.
    var isKept = false
    defer { if !isKept { directory.remove() } }
    if hasWaited, let image = try Registry.store({ () throws(ImageError) in try store.find(query) }) { return image }
    let file = directory.archive
    do throws(RegistryError) {
      let download = try AppcDownload(address, access: access, interruption: interruption, tell: tell)
      guard try download.run(into: file, size: size) else { return nil }
    } catch {
      isKept = (error.kind == .unavailable || error.kind == .interrupted) && directory.isOfUse
      throw error.at(address.text)
    }
    return try take(file, size: size, above + [Step(query: query, url: address.text)])
  }
}
