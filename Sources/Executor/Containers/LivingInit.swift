import ContainerInit
import LinuxKernel
import StrictJSON

/// A container's init that an executor before this one started, found again.
struct LivingInit {
  let process: SharedDescriptor
  let client: InitClient

  /// `nil` when it is gone, or goes while it is looked at. One that lives and does not answer is an error: nothing is
  /// done about it.
  static func find(_ identity: ProcessIdentity, _ paths: TaskPaths) throws(CommandFailure) -> LivingInit? {
    let process: SharedDescriptor
    do throws(Errno) {
      guard let found = try identity.open() else { return nil }
      process = SharedDescriptor(found)
    } catch {
      throw CommandFailure(.internalError, "cannot reach container-init of \(paths.taskID): \(error)")
    }
    do throws(Errno) {
      return LivingInit(process: process, client: try InitClient(connectingTo: paths.controlSocket))
    } catch {
      // Init may be on its way out, with its process still there while the kernel ends its namespace.
      if ProcessHandle.waitForEnd(process.rawValue, milliseconds: 10_000) { return nil }
      throw CommandFailure(
        .internalError,
        "container-init of \(paths.taskID) (pid \(identity.pid)) does not listen on \(paths.controlSocket): \(error)",
        hint: "nothing was done about it")
    }
  }
}

extension ProcessIdentity {
  var journalMembers: [(String, JSON?)] {
    [("boot_id", JSON(bootID)), ("pid", JSON(pid)), ("start_time", JSON(startTime)), ("pidfd_inode", JSON(inode))]
  }

  init?(json: JSON) {
    guard let bootID = json["boot_id"]?.string, let pid = json["pid"]?.integer.flatMap({ Int32(exactly: $0) }),
      let start = json["start_time"]?.integer, let inode = json["pidfd_inode"]?.integer
    else { return nil }
    self.init(bootID: bootID, pid: pid, startTime: UInt64(clamping: start), inode: UInt64(clamping: inode))
  }
}
