import Images
import LinuxKernel
import Registry
import TaskStore

/// The image of a native task: in the store, or fetched from its registry as `--pull` has it.
struct NativeImage {
  private let access: RegistryAccess
  private let policy: PullPolicy
  private let workDirectory: String

  init(_ settings: RunSettings, workDirectory: String) {
    policy = PullPolicy(rawValue: settings.pull) ?? .missing
    self.workDirectory = workDirectory
    var access = RegistryAccess()
    access.mirror = settings.dockerRegistry
    access.plainHTTP = settings.plainHTTP
    access.certificates = settings.certificates
    access.configuration = settings.dockerConfig
    access.takeEnvironment()
    self.access = access
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
    var view = PullView(reference)
    defer { view.finish() }
    do {
      let store = try ImageStore(root: TaskPaths.images(workDirectory))
      let pull = RegistryPull(into: store, access: access, interruption: signals.rawValue) { view.take($0) }
      return (store, try pull.run(reference))
    } catch let error as RegistryError where error.kind == .notFound {
      // That there is no such image is what the task asks for, and not a file that is missing here.
      throw ExecutorFailure(.failed, error.message, hint: error.hint)
    } catch let error as RegistryError where error.kind == .interrupted {
      throw ExecutorFailure(.stopped, "stopped while the image \(reference) was being pulled")
    } catch let error as RegistryError {
      throw ExecutorFailure(error)
    } catch let error as ImageError {
      throw ExecutorFailure(error)
    } catch {
      throw ExecutorFailure(.internalError, "cannot pull the image \(reference): \(error)")
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
