import Images
import LinuxKernel
import Registry
import TaskStore

/// The AppC image of a native task: in the store, or found where `--appc-store` and `--appc-discovery-prefix` say.
struct NativeAppcImage {
  private let access: RegistryAccess
  private let places: AppcPlaces
  private let policy: PullPolicy
  private let workDirectory: String

  init(_ settings: RunSettings, workDirectory: String) {
    access = RegistryAccess(settings)
    places = AppcPlaces(directory: settings.appcStore, prefix: settings.appcDiscoveryPrefix)
    policy = PullPolicy(rawValue: settings.pull) ?? .missing
    self.workDirectory = workDirectory
  }

  /// What the store has.
  func stored(_ query: AppcQuery) throws(ExecutorFailure) -> (ImageStore, StoredImage) {
    if let found = try find(query) { return found }
    throw ExecutorFailure(
      .failed, "the AppC image \(query) is not in the image store of \(workDirectory)",
      hint:
        "`aurora-executor image import FILE.aci` puts it there; --appc-store and --appc-discovery-prefix say where to look"
    )
  }

  private func find(_ query: AppcQuery) throws(ExecutorFailure) -> (ImageStore, StoredImage)? {
    do throws(ImageError) {
      let store = try ImageStore(reading: TaskPaths.images(workDirectory))
      return try store.find(query).map { (store, $0) }
    } catch {
      throw ExecutorFailure(error)
    }
  }

  /// What the store has, or will have. Given up when something can be read from `signals`.
  func provide(_ query: AppcQuery, until signals: SharedDescriptor) throws(ExecutorFailure) -> (
    ImageStore, StoredImage
  ) {
    guard !places.isEmpty, policy != .never else { return try stored(query) }
    // What an id means never changes.
    if policy == .missing || query.imageID != nil, let found = try find(query) { return found }
    var view = PullView(query.description)
    defer { view.finish() }
    do {
      let store = try ImageStore(root: TaskPaths.images(workDirectory))
      let pull = AppcPull(into: store, places: places, access: access, interruption: signals.rawValue) { view.take($0) }
      return (store, try pull.run(query))
    } catch {
      throw ExecutorFailure(pulling: query.description, error)
    }
  }
}

extension AppcQuery {
  /// What a task says.
  init(name: String, id: String?, labels: [String: String]) throws(ImageError) {
    var imageID: AppcImageID?
    if let id {
      guard let read = AppcImageID(id) else {
        throw ImageError(
          .invalid, what: "AppC image \(printable(name.utf8))",
          why: "its image_id is not sha512- and 128 hexadecimal digits: \"\(printable(id.utf8.prefix(200)))\"",
          hint: "it is the SHA-512 of the ACI's tar, not compressed; `image import` and `image inspect` show it")
      }
      imageID = read
    }
    try self.init(
      name: name,
      labels: labels.sorted { $0.key < $1.key }.map { ImageConfig.Label(name: $0.key, value: $0.value) },
      imageID: imageID)
  }
}
