import LinuxKernel

/// What the import of an ACI is held to, and where the images below it come from.
package struct AppcImport {
  /// What it must be; anything when nobody asks for one.
  package var wanted: AppcQuery?
  /// Gives a dependency that the store lacks; `nil` when it is nowhere to be found.
  package var provide: (AppcDependency) throws(ImageError) -> StoredImage?

  package init(
    wanted: AppcQuery? = nil, provide: @escaping (AppcDependency) throws(ImageError) -> StoredImage? = { _ in nil }
  ) {
    self.wanted = wanted
    self.provide = provide
  }
}

/// The images below an ACI, held so that they stay until it is in the store.
struct AppcFoundation {
  private(set) var layers: [StoredLayer] = []
  private var locks: [SharedDescriptor] = []

  static let none = AppcFoundation()

  private init() {}

  /// Finds the dependencies of an image, each with all that is below it, in the order of its manifest.
  init(of manifest: AppcManifest, in store: ImageStore, _ appc: AppcImport) throws(ImageError) {
    for dependency in manifest.dependencies {
      do throws(ImageError) {
        var found = try store.find(dependency.query)
        if found == nil { found = try appc.provide(dependency) }
        guard let image = found else {
          throw ImageError(
            .notFound, why: "it is not in the image store",
            hint: "`aurora-executor image import` it first, or say where it is: --appc-store, --appc-discovery-prefix")
        }
        locks.append(SharedDescriptor(try store.lockForUse(image)))
        layers += image.layers
      } catch {
        throw error.at("dependency \(dependency.query)")
      }
    }
    let most = Budgets().layers - 1
    guard layers.count <= most else {
      throw .invalid("its dependencies have \(layers.count) layers together, more than \(most)")
    }
  }
}

/// Making of an unpacked ACI what the store keeps.
extension ImageImport {
  /// An image that is ready to be published.
  struct Assembly {
    var staged: [Staged]
    var config: ImageConfig
    var appc: AppcIdentity?
  }

  /// The layers and the identity of an AppC image whose files were unpacked.
  ///
  /// A layer of the store is named by what made it, so that the same layer is kept once: of an ACI by its image id, which
  /// is no hash of the kind that other layers are named by, and of one that has a whitelist by what is below it as well.
  func assemble(_ manifest: AppcManifest, _ staged: [Staged]) throws(ImageError) -> Assembly {
    guard var own = staged.first, staged.count == 1, let imageID = own.report.imageID else {
      throw .invalid("not every layer was unpacked")
    }
    let identity = AppcIdentity(imageID: stated ?? imageID, name: manifest.name, labels: manifest.labels)
    if let wanted, let reason = wanted.reasonAgainst(identity) { throw .invalid(reason) }
    var config = image.config
    var key = "appc \(imageID)"
    if manifest.pathWhitelist.isEmpty {
      own.report.diffID = SHA256.digest(of: Array(key.utf8))
      config.diffIDs = foundation.layers.map(\.diffID) + [own.report.diffID]
      return Assembly(staged: [own], config: config, appc: identity)
    }
    key += " whitelisted" + foundation.layers.map { " \($0.diffID.hex)" }.joined()
    let directory = own.directory + "-whitelisted"
    let tree = directory + "/" + StorePaths.treeName
    try kernel("make \(tree)") { () throws(Errno) in
      try makeDirectory(directory, mode: 0o700)
      try makeDirectory(tree, mode: 0o755)
    }
    do throws(ImageError) {
      var whitelisted = try WhitelistedTree(
        of: foundation.layers.map(\.path) + [own.directory + "/" + StorePaths.treeName],
        whitelist: manifest.pathWhitelist, into: tree, interruption: interruption)
      try whitelisted.make()
      own.report.entries = whitelisted.entries
      own.report.contentBytes = whitelisted.contentBytes
    } catch {
      throw error.at("pathWhitelist")
    }
    own.directory = directory
    own.report.diffID = SHA256.digest(of: Array(key.utf8))
    // What was open is closed: the tree is that of all layers together.
    own.report.gaps = LayerGaps()
    config.diffIDs = [own.report.diffID]
    return Assembly(staged: [own], config: config, appc: identity)
  }
}
