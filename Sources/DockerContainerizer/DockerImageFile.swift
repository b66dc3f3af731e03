import DockerEngineClient
import LinuxKernel
import TaskStore

/// A regular file of an image, as the engine has it in a container that has not been started.
///
/// An engine opens `/etc/passwd` and `/etc/group` of a container itself, as root, when it starts it. Where an image has a pipe in
/// their place it hangs there, and so does whoever asks for that container later; a device would be opened.
struct DockerImageFile {
  /// What engines read at a start.
  static let readAtStart = ["/etc/passwd", "/etc/group"]
  static let limit = 1 << 20

  let path: String
  /// Where links of the image lead, else the path itself.
  let target: String

  /// - Returns: `nil` when there is nothing.
  init?(_ path: String, in container: ContainerID, at engine: DockerEngine) throws(ExecutorFailure) {
    guard var about = try Self.status(of: path, in: container, at: engine) else { return nil }
    var target = path
    if about.isLink {
      // The engine follows all of them at once, inside the image.
      target = about.linkTarget
      guard let end = try Self.status(of: target, in: container, at: engine) else { return nil }
      about = end
    }
    (self.path, self.target) = (path, target)
    guard about.isRegularFile else { throw unusable("it is not a regular file") }
    guard about.size <= Self.limit else { throw unusable("it has more than \(Self.limit) bytes") }
  }

  private static func status(
    of path: String, in container: ContainerID, at engine: DockerEngine
  ) throws(ExecutorFailure) -> ContainerPathStatus? {
    do throws(DockerEngineError) { return try engine.pathStatus(in: container, path: path) } catch {
      if error.status == 404 { return nil }
      throw ExecutorFailure(error)
    }
  }

  func unusable(_ why: String) -> ExecutorFailure {
    ExecutorFailure(
      .failed, "\(path) of the image cannot be used: \(why)",
      hint: "rebuild the image with an ordinary \(path), or without one")
  }

  /// The content, read whole.
  func content(in container: ContainerID, at engine: DockerEngine) throws(ExecutorFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    do throws(DockerEngineError) {
      let archive = try engine.getArchive(of: target, in: container)
      while let piece = try archive.next() {
        bytes += piece
        // The file, its header and those of its attributes.
        if bytes.count > Self.limit * 2 { break }
      }
    } catch {
      throw ExecutorFailure(error)
    }
    guard bytes.count <= Self.limit * 2 else { throw unusable("its archive is too large") }
    guard let content = SingleFileArchive.content(bytes) else { throw unusable("its archive cannot be read") }
    if content.contains(0) { throw unusable("it contains a NUL byte") }
    return content
  }
}
