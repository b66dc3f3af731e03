import Glibc
import Images
import Isolators
import LaunchModel
import LinuxKernel
import TaskStore

/// How a container gets the files of its image for its root: overlayfs stacks the layers, or the container has a copy of its own.
struct ImageRoot {
  private let paths: TaskPaths
  /// What was made where overlayfs cannot write.
  private var copy: CopiedRoot?

  init(_ paths: TaskPaths) { self.paths = paths }

  /// Whether files were copied.
  var isCopy: Bool { copy != nil }

  /// Makes what the container writes to. Given up when something can be read from `signals`.
  mutating func provision(_ image: ImageSummary, until signals: SharedDescriptor) throws(ExecutorFailure) {
    do {
      if !paths.hasRootfs { try paths.createRootfs() }
      guard let reason = OverlaySupport.obstacle(paths.workDirectory, upper: paths.upper, work: paths.overlayWork)
      else { return }
      // Of an executor that was killed over it.
      if try !entries(of: paths.upper).isEmpty {
        try removeTree(paths.rootfs)
        try paths.createRootfs()
      }
      let made = try ImageCopy(of: image, into: paths.upper, interruption: signals.rawValue)
      copy = CopiedRoot(directory: paths.upper, bytes: made.bytes, files: made.files, reason: reason)
    } catch let error as ImageError {
      // Somebody has said so meanwhile.
      if case .host(let why) = error.kind, why.code == EINTR {
        throw ExecutorFailure(.stopped, "stopped while the image was being copied")
      }
      throw ExecutorFailure(error)
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot make \(paths.rootfs): \(error)")
    }
  }

  /// What was made, in the isolators' terms. Where nothing was, what a run would be likely to make: a plan changes nothing.
  func config(_ image: ImageSummary) -> ContainerConfig.Root {
    if let copy { return .imageCopy(copy) }
    if !paths.hasRootfs, let reason = OverlaySupport.look(at: paths.workDirectory).obstacle {
      return .imageCopy(CopiedRoot(directory: paths.upper, reason: reason))
    }
    return .image(layers: image.layers.map(\.path), upper: paths.upper, work: paths.overlayWork)
  }
}
