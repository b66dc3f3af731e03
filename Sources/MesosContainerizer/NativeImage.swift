import Images
import LinuxKernel
import Registry
import TaskStore

/// The image of a native task: in the store, or fetched from its registry as `--pull` has it.
struct NativeImage {
  private let access: RegistryAccess
  private let policy: PullPolicy
  private let workDirectory: String
  private let role: String

  init(_ settings: RunSettings, workDirectory: String) {
    policy = PullPolicy(rawValue: settings.pull) ?? .missing
    self.workDirectory = workDirectory
    role = settings.role
    access = RegistryAccess(settings)
  }

  /// What the store has.
  func stored(_ reference: ImageReference) throws(ExecutorFailure) -> (ImageStore, StoredImage) {
    guard let found = try find(reference) else {
      throw ExecutorFailure(
        .failed, "the image \(reference) is not in the image store of \(workDirectory)",
        hint:
          "`aurora-executor image pull \(reference)` or `image import ARCHIVE` puts it there; `image ls` shows what is")
    }
    return found
  }

  /// What the store has, or after a pull will have. Given up when something can be read from `signals`.
  func provide(_ reference: ImageReference, until signals: SharedDescriptor) throws(ExecutorFailure)
    -> (ImageStore, StoredImage)
  {
    switch policy {
    case .never: return try stored(reference)
    case .missing: if let found = try find(reference) { return found }
    case .always: break
    }
    var view = PullView(reference.description)
    defer { view.finish() }
    do {
      let store = try ImageStore(root: TaskPaths.images(workDirectory))
      let pull = RegistryPull(into: store, access: access, for: .role(role), interruption: signals.rawValue) {
        view.take($0)
      }
      return (store, try pull.run(reference))
    } catch {
      throw ExecutorFailure(pulling: reference.description, error)
    }
  }

  private func find(_ reference: ImageReference) throws(ExecutorFailure) -> (ImageStore, StoredImage)? {
    do throws(ImageError) {
      let store = try ImageStore(reading: TaskPaths.images(workDirectory))
      return try store.find(reference).map { (store, $0) }
    } catch {
      throw ExecutorFailure(error)
    }
  }
}

extension RegistryAccess {
  /// What a run's settings say of registries.
  init(_ settings: RunSettings) {
    self.init()
    mirror = settings.dockerRegistry
    plainHTTP = settings.plainHTTP
    certificates = settings.certificates
    configuration = settings.dockerConfig
    takeEnvironment()
  }
}

extension ExecutorFailure {
  /// Why a task's image could not be had.
  init(pulling image: String, _ error: any Error) {
    switch error {
    case let error as RegistryError where error.kind == .notFound || error.image?.kind == .notFound:
      // That there is no such image is what the task asks for, and not a file that is missing here.
      self.init(.failed, error.message, hint: error.hint)
    case let error as RegistryError where error.kind == .interrupted:
      self.init(.stopped, "stopped while the image \(image) was being pulled")
    case let error as RegistryError: self.init(error)
    case let error as ImageError: self.init(error)
    default: self.init(.internalError, "cannot pull the image \(image): \(error)")
    }
  }
}
