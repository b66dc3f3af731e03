import Glibc
import LaunchModel
import LinuxKernel

/// A task's sandbox while it is made: root's, so that nobody can put something else in the place of what is made in it.
///
/// Everything is made by descriptor, and owned by descriptor. The role gets the sandbox itself last.
package struct Sandbox {
  private let directory: SharedDescriptor
  private let identity: Identity

  /// Opens the sandbox of a task, with `.logs`, which a container mounts the logs on, and `.tmp`.
  package init(_ paths: TaskPaths, _ identity: Identity) throws(ExecutorFailure) {
    self.identity = identity
    do throws(Errno) {
      directory = SharedDescriptor(try openFile(paths.sandbox, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot open \(paths.sandbox): \(error)")
    }
  }

  /// Makes what a launch needs, and gives everything to the role.
  ///
  /// - Returns: the sandbox, as the launcher mounts it.
  package func prepare(_ entries: [SandboxEntry] = []) throws(ExecutorFailure) -> SharedDescriptor {
    do throws(Errno) {
      try make(SandboxEntry(".logs", isDirectory: true), mode: 0o755, isRoots: true)
      try make(SandboxEntry(".tmp", isDirectory: true), mode: 0o700)
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot make .logs and .tmp in the sandbox: \(error)")
    }
    for entry in entries {
      do throws(Errno) { try make(entry, mode: entry.isDirectory ? 0o755 : 0o644) } catch {
        throw ExecutorFailure(.failed, "cannot make \(entry.path) in the sandbox: \(error)")
      }
    }
    do throws(Errno) { try own(directory.descriptor, mode: 0o700) } catch {
      throw ExecutorFailure(.cannotCreate, "cannot give the sandbox to \(identity.name): \(error)")
    }
    return directory
  }

  /// Whoever began this launch and died may have made some of it.
  private func make(_ entry: SandboxEntry, mode: UInt32, isRoots: Bool = false) throws(Errno) {
    var current = directory
    let components = Array(entry.path.utf8).pathComponents
    for (index, component) in components.enumerated() {
      let isFile = index == components.count - 1 && !entry.isDirectory
      current = isFile ? try file(component, in: current) : try folder(component, in: current)
      try own(current.descriptor, mode: index == components.count - 1 ? mode : 0o755, isRoots: isRoots)
    }
  }

  private func folder(_ name: [UInt8], in parent: SharedDescriptor) throws(Errno) -> SharedDescriptor {
    do throws(Errno) { try makeDirectory(name, mode: 0o700, at: parent.rawValue) } catch  where error.code == EEXIST {}
    return SharedDescriptor(
      try openBelow(
        parent.rawValue, name, O_RDONLY | O_DIRECTORY, resolve: [.beneath, .noSymlinks, .noCrossMounts]))
  }

  private func file(_ name: [UInt8], in parent: SharedDescriptor) throws(Errno) -> SharedDescriptor {
    let made = try openBelow(
      parent.rawValue, name, O_RDONLY | O_CREAT | O_NONBLOCK | O_NOCTTY, mode: 0o600,
      resolve: [.beneath, .noSymlinks, .noCrossMounts])
    guard try status(of: made.rawValue).isRegularFile else { throw Errno("open", code: EEXIST) }
    return SharedDescriptor(made)
  }

  /// Without root the owner is who we are.
  private func own(_ file: borrowing FileDescriptor, mode: UInt32, isRoots: Bool = false) throws(Errno) {
    if CurrentProcess.effectiveUser == 0, !isRoots {
      // A second name of a file is somebody's who wants it given away.
      let about = try status(of: file.rawValue)
      guard about.isDirectory || about.links == 1 else { throw Errno("fchown", code: EMLINK) }
      try changeOwner(of: file.rawValue, uid: identity.uid, gid: identity.gid)
    }
    try changeMode(of: file.rawValue, to: mode)
  }
}
