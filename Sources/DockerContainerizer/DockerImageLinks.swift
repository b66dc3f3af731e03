import DockerEngineClient
import LinuxKernel
import TaskStore

/// Links of an image, asked of the engine by way of a container that is never started.
final class DockerImageLinks {
  private let engine: DockerEngine
  private let probe: ContainerID
  private var known: [[UInt8]: [UInt8]?] = DockerImageLinks.made
  /// What is not there, with everything below it.
  private var missing: [[[UInt8]]] = []

  /// An engine lays these over the image, and removes every link on the way to them. Each question takes milliseconds.
  private static let made: [[UInt8]: [UInt8]?] = {
    let paths = [
      "/dev", "/dev/pts", "/dev/shm", "/etc", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/proc", "/sys",
    ]
    return Dictionary(uniqueKeysWithValues: paths.map { (Array($0.utf8), [UInt8]?.none) })
  }()

  init(_ engine: DockerEngine, _ probe: ContainerID) {
    self.engine = engine
    self.probe = probe
  }

  /// The text of the link at a path on whose way there is none; `nil` when there is no link.
  func link(_ path: String) throws(ExecutorFailure) -> [UInt8]? {
    let bytes = Array(path.utf8)
    if let found = known[bytes] { return found }
    if missing.contains(where: { bytes.pathComponents.starts(with: $0) }) { return nil }
    let found = try ask(path)
    known[bytes] = .some(found)
    return found
  }

  private func ask(_ path: String) throws(ExecutorFailure) -> [UInt8]? {
    do {
      guard try engine.pathStatus(in: probe, path: path).isLink else { return nil }
      // The status says where it leads in the end, and not by which way.
      let archive = try engine.getArchive(of: path, in: probe)
      var bytes: [UInt8] = []
      while let piece = try archive.next() {
        bytes += piece
        guard bytes.count <= 1 << 20 else { break }
      }
      guard let text = SingleFileArchive.link(bytes) else {
        throw ExecutorFailure(
          .failed,
          "the link \(printable(path.utf8)) of the image cannot be read, and something is to be mounted behind it")
      }
      return text
    } catch let error as DockerEngineError {
      guard error.status == 404 else { throw ExecutorFailure(error) }
      missing.append(Array(path.utf8).pathComponents)
      return nil
    } catch let failure as ExecutorFailure {
      throw failure
    } catch {
      throw ExecutorFailure(.internalError, "cannot look into the image at \(printable(path.utf8)): \(error)")
    }
  }
}
