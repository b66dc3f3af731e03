import LinuxKernel
import StrictJSON

extension ProcessIdentity {
  package var journalMembers: [(String, JSON?)] {
    [
      ("boot_id", JSON(bootID)), ("pid", JSON(pid)), ("start_time", JSON(startTime)), ("pidfd_inode", JSON(inode)),
      ("pid_namespace", JSON(CurrentProcess.pidNamespace)),
    ]
  }

  package init?(json: JSON) {
    guard let bootID = json["boot_id"]?.string, let pid = json["pid"]?.integer.flatMap({ Int32(exactly: $0) }),
      let start = json["start_time"]?.integer, let inode = json["pidfd_inode"]?.integer
    else { return nil }
    self.init(bootID: bootID, pid: pid, startTime: UInt64(clamping: start), inode: UInt64(clamping: inode))
  }
}
