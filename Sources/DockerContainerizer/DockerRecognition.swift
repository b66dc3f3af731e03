import DockerEngineClient
import Glibc
import LaunchModel
import LinuxKernel
import TaskStore

/// Who is at the other end of a container's connection, and whether the container is what was asked for.
///
/// An image decides what is below every path of its container: a link of it leads the engine's mounts elsewhere, and its
/// `VOLUME` may lie over one of them. So nothing is handed over before the kernel has said that the process is the
/// program we mounted, in this container, and that each path of ours leads to what we mounted there.
struct DockerRecognition {
  let id: ContainerID
  /// Whom its processes run as.
  let identity: Identity
  /// The program, on the host.
  let program: String
  /// What is ours in the container, and what of the host a policy has given leave for.
  let mounts: [MountSpec]
  /// For hints: where the socket is, on the host.
  let directory: String

  /// A handle on the container's init. Only a process that the kernel says is that is taken for it.
  func process(_ peer: UnixSocket.Peer) throws(ExecutorFailure) -> (SharedDescriptor, ProcessIdentity) {
    do {
      guard peer.pid > 0 else {
        throw ExecutorFailure(
          .failed, "the container's processes cannot be seen from here",
          hint: "the executor and the Docker engine must share the host's pid namespace")
      }
      let process = SharedDescriptor(try openProcess(peer.pid))
      let identity = try ProcessIdentity(pid: peer.pid, pidfd: process.rawValue)
      let cgroups = String(decoding: try readFile("/proc/\(peer.pid)/cgroup"), as: UTF8.self)
      let users = IDMap(try readFile("/proc/\(peer.pid)/uid_map"))
      let groups = IDMap(try readFile("/proc/\(peer.pid)/gid_map"))
      guard peer.uid == 0, cgroups.utf8.split(separator: 0x2f).contains(where: { $0.holds(id.text.utf8) }) else {
        throw ExecutorFailure(
          .failed, "process \(peer.pid) (uid \(peer.uid)) answered in place of the container's init",
          hint: "somebody else has access to \(directory)")
      }
      let wantedUsers = [0, self.identity.uid]
      let wantedGroups = [0, self.identity.gid] + self.identity.supplementaryGroups
      guard wantedUsers.allSatisfy(users.keeps), wantedGroups.allSatisfy(groups.keeps) else {
        throw ExecutorFailure(
          .failed,
          "the container maps user ids: the role user \(self.identity.name) cannot have the host's uid "
            + "\(self.identity.uid) and groups in it",
          hint: "give the task the parameter {\"name\": \"userns\", \"value\": \"host\"}")
      }
      let own = try LinuxKernel.status(of: program)
      let other = try LinuxKernel.status(of: "/proc/\(peer.pid)/exe", followLinks: true)
      guard DockerRecognition.isSame(own, other) else {
        throw ExecutorFailure(
          .failed, "process \(peer.pid) of the container answered, and is another program than container-init",
          hint: "the image, or somebody with access to the engine, put it in container-init's place")
      }
      try checkMounts(peer.pid)
      try checkDevices(peer.pid)
      return (process, identity)
    } catch let failure as ExecutorFailure {
      throw failure
    } catch {
      throw ExecutorFailure(.failed, "container-init ended at once, or cannot be looked at: \(error)")
    }
  }

  /// Every path is resolved as a process of the container would, links of the image included.
  private func checkMounts(_ pid: Int32) throws {
    let root = try openFile("/proc/\(pid)/root", O_PATH | O_DIRECTORY)
    for mount in mounts {
      // What was judged is compared by its own name, which has no link: the engine may have followed one since.
      guard let found = try? status(at: mount.target, below: root),
        let source = try? openBelow(AT_FDCWD, mount.source, O_PATH, resolve: .noSymlinks),
        DockerRecognition.isSame(found, try LinuxKernel.status(of: source.rawValue))
      else {
        throw ExecutorFailure(
          .failed, "\(printable(mount.target.utf8)) of the container is not what was mounted there (\(mount.source))",
          hint: "a link or a VOLUME of the image, or a mount among the parameters, leads elsewhere or covers it")
      }
    }
  }

  /// Init and its processes open devices by name: none but root may say what has which.
  private func checkDevices(_ pid: Int32) throws {
    let root = try openFile("/proc/\(pid)/root", O_PATH | O_DIRECTORY)
    guard let place = try? openBelow(root.rawValue, "dev", O_PATH, resolve: [.beneath, .noSymlinks]),
      DockerRecognition.isSafe(devices: place)
    else { throw DockerRecognition.unsafeDevices }
  }

  /// Whether a directory can be a container's /dev.
  static func isSafe(devices place: borrowing FileDescriptor) -> Bool {
    guard let null = try? openBelow(place.rawValue, "null", O_PATH, resolve: [.beneath, .noSymlinks]),
      let about = try? LinuxKernel.status(of: null.rawValue), about.isNullDevice,
      let directory = try? LinuxKernel.status(of: place.rawValue)
    else { return false }
    return directory.uid == 0 && directory.permissions & 0o022 == 0
  }

  static let unsafeDevices = ExecutorFailure(
    .failed, "/dev of the container is not the engine's own: others than root can write it, or it has no /dev/null",
    hint: "a VOLUME of the image, or a mount among the parameters, covers it")

  private func status(at target: String, below root: borrowing FileDescriptor) throws(Errno) -> FileStatus {
    let found = try openBelow(root.rawValue, target, O_PATH, resolve: [.inRoot, .noMagicLinks])
    return try LinuxKernel.status(of: found.rawValue)
  }

  private static func isSame(_ one: FileStatus, _ other: FileStatus) -> Bool {
    one.device == other.device && one.inode == other.inode
  }
}
