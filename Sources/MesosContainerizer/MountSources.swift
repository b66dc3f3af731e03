import Glibc
import Isolators
import LaunchModel
import LinuxKernel

/// What of the host a plan mounts, opened once, here: init gets detached mounts and no names.
struct MountSources {
  let config: ContainerConfig
  /// The task's sandbox, root's still.
  let sandbox: SharedDescriptor

  /// A detached mount of each source, in the plan's order.
  func open(_ binds: [BindMount]) throws(LaunchError) -> [SharedDescriptor] {
    var opened: [SharedDescriptor] = []
    for bind in binds {
      do throws(Errno) {
        let source = try openSource(bind.source, ofVolume: bind.kind == .volume)
        opened.append(SharedDescriptor(try cloneMount([UInt8](), at: source.rawValue, recursive: bind.recursive)))
      } catch {
        throw LaunchError(
          "cannot mount \(bind.source) on \(bind.target)", error,
          hint: error.code == ENOENT ? "\(bind.source) must exist on the host" : nil)
      }
    }
    return opened
  }

  /// What lies below the sandbox is looked up from there, and never by way of a link: its names are the task's. Nor is a
  /// path that was judged: another container may have put a link where none was.
  private func openSource(_ path: String, ofVolume isVolume: Bool) throws(Errno) -> FileDescriptor {
    let (own, all) = (Array(config.sandboxHostPath.utf8), Array(path.utf8))
    guard all.starts(with: own), all.count == own.count || all[own.count] == UInt8(ascii: "/") else {
      guard isVolume && config.volumesAreJudged else { return try openFile(path, O_PATH) }
      return try openBelow(AT_FDCWD, path, O_PATH, resolve: .noSymlinks)
    }
    let below = Array(all[own.count...]).pathComponents
    let relative = below.isEmpty ? [UInt8(ascii: ".")] : Array(below.joined(separator: [UInt8(ascii: "/")]))
    return try openBelow(sandbox.rawValue, relative, O_PATH, resolve: [.beneath, .noSymlinks])
  }
}
