import DockerEngineClient
import Glibc
import LinuxKernel
import OperatorPolicy
import TaskStore

/// What is on the host where a container has something of it.
extension DockerMountPoints {
  /// What a source is. One that has gone since the engine made the container is refused by it too.
  package static func kind(_ source: String) throws(ExecutorFailure) -> Kind {
    do throws(Errno) { return try status(of: source, followLinks: true).isDirectory ? .directory : .file } catch {
      throw ExecutorFailure(
        .failed,
        "the host's \(printable(source.utf8)), which is to be mounted, cannot be looked at: \(error.explanation)",
        hint: "nothing is made on the host for a task: make it before")
    }
  }

  /// What another container has of the host the engine makes when it does not find it, and cannot be asked not to.
  static func checkForeign(_ mount: ContainerDetails.Mount, _ writablePaths: [String]) throws(ExecutorFailure) {
    guard let reason = unsteadiness(mount.source, writablePaths) else { return }
    throw ExecutorFailure(
      .failed,
      "the host's \(printable(mount.source.utf8)), which another container has on \(printable(mount.destination.utf8)), "
        + "would be made where it is missing: \(reason)",
      hint: "mount it by an option of its own, instead of volumes-from")
  }

  /// Why something of the host cannot be a mount point as it is; `nil` when it can.
  package func obstacle(_ kind: Kind, _ source: String, _ rest: [[UInt8]], mayBeAbsent: Bool = false) -> String? {
    let name = Self.shown(rest).dropFirst()
    do throws(Errno) {
      let top = try openFile(source, O_PATH)
      let entry = try openBelow(
        top.rawValue, Array(Self.path(rest).utf8.dropFirst()), O_PATH, resolve: [.beneath, .noSymlinks])
      let about = try status(of: entry.rawValue)
      switch kind {
      case .directory where !about.isDirectory: return "\(name) in it is no directory"
      case .file where about.isDirectory, .node where about.isDirectory, .nodes:
        return "\(name) in it is a directory"
      default: break
      }
      // What is there now must be what is there when the engine mounts.
      return mayBeAbsent ? nil : Self.unsteadiness(source + Self.path(rest), writablePaths)
    } catch {
      switch error.code {
      case ENOENT: return mayBeAbsent ? nil : "it has no \(name)"
      case ELOOP: return "there is a link on the way to \(name) in it"
      default: return "\(name) in it cannot be looked at: \(error.explanation)"
      }
    }
  }

  /// Why a path of the host may lead elsewhere by the time the engine looks it up; `nil` when only root can make it so.
  private static func unsteadiness(_ path: String, _ writablePaths: [String]) -> String? {
    let written = Array(path.utf8)
    switch HostPathResolver.resolve(path) {
    case .unclear(let reason): return reason
    // Nobody has looked at who may put another link in its place.
    case .path(let real) where real.pathComponents != written.cleanedPathComponents:
      return "there is a link on the way, it leads to \(printable(real))"
    case .path(let real):
      // A task's root has as much to say there as the host's.
      let writable = writablePaths.first { real.isBelow(Array($0.utf8)) && !Array($0.utf8).isBelow(real) }
      return writable.map { "tasks may write in \(printable($0.utf8)), so that what is there can be swapped" }
    }
  }
}
