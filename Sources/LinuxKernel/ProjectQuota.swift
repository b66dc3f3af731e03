import CLinux

/// Project quotas (quotactl_fd(2), Linux 5.14): what all files with one project id take on a file system. The file system is
/// that of a descriptor; ext4 and XFS answer the same calls.
package enum ProjectQuota {
  /// What the files of a project take.
  package struct Usage: Sendable, Equatable {
    /// Reserved for what is not yet allocated included.
    package var bytes: UInt64
    package var inodes: UInt64
    package init(bytes: UInt64, inodes: UInt64) {
      self.bytes = bytes
      self.inodes = inodes
    }
  }

  /// Whether limits of projects are enforced there; false as well where nobody can tell.
  package static func isEnforced(on descriptor: Int32) -> Bool {
    var state = fs_quota_statv()
    state.qs_version = 1  // FS_QSTATV_VERSION1
    let done = ax_quotactl(descriptor, command(xfs: 8), 0, &state)  // Q_XGETQSTATV, for every kind of file system
    return done == 0 && state.qs_flags & UInt16(FS_QUOTA_PDQ_ENFD) != 0
  }

  package static func usage(of project: UInt32, on descriptor: Int32) throws(Errno) -> Usage {
    var raw = if_dqblk()
    do throws(Errno) {
      try check("quotactl(Q_GETQUOTA)") { ax_quotactl(descriptor, command(generic: 7), project, &raw) }
    } catch  where error.code == ENOENT {
      // XFS has no record of a project that never had anything.
      return Usage(bytes: 0, inodes: 0)
    }
    return Usage(bytes: raw.dqb_curspace, inodes: raw.dqb_curinodes)
  }

  /// Limits of a project, 0 for none: what passes `soft` is told, what would exceed `hard` fails.
  package struct Limits: Sendable, Equatable {
    package var soft: UInt64
    package var hard: UInt64
    package init(soft: UInt64, hard: UInt64) { (self.soft, self.hard) = (soft, hard) }
    package static let none = Limits(soft: 0, hard: 0)
  }

  /// Sets the limits of a project in bytes and in inodes. What would exceed a hard one fails with `EDQUOT`, on XFS `ENOSPC`.
  package static func setLimits(_ bytes: Limits, inodes: Limits, of project: UInt32, on descriptor: Int32)
    throws(Errno)
  {
    let (soft, hard) = (bytes.soft, bytes.hard)
    var raw = if_dqblk()
    raw.dqb_isoftlimit = inodes.soft
    raw.dqb_ihardlimit = inodes.hard
    // In units of 1 KiB. A limit above 0 must not become none.
    raw.dqb_bsoftlimit = soft / 1024 + (soft % 1024 == 0 ? 0 : 1)
    raw.dqb_bhardlimit = hard / 1024 + (hard % 1024 == 0 ? 0 : 1)
    raw.dqb_valid = 1 | 4  // QIF_BLIMITS, QIF_ILIMITS
    try check("quotactl(Q_SETQUOTA)") { ax_quotactl(descriptor, command(generic: 8), project, &raw) }
  }

  /// The project id of an open file.
  package static func project(of descriptor: Int32) throws(Errno) -> UInt32 {
    try attributes(of: descriptor).fsx_projid
  }

  /// Whether what is made in a directory gets the directory's project id, enforced or not.
  ///
  /// - Parameter directory: may be open as a place alone (`O_PATH`).
  package static func isHandedOn(by directory: Int32) -> Bool {
    guard let opened = try? openFile(".", O_RDONLY | O_DIRECTORY, at: directory),
      let raw = try? attributes(of: opened.rawValue)
    else { return false }
    return raw.fsx_xflags & inherits != 0 && raw.fsx_projid != 0
  }

  /// Gives an open directory a project id, and has it hand that on to what is made in it; or, with 0, takes both away.
  package static func setProject(_ project: UInt32, of directory: Int32) throws(Errno) {
    var raw = try attributes(of: directory)
    raw.fsx_projid = project
    raw.fsx_xflags = project == 0 ? raw.fsx_xflags & ~inherits : raw.fsx_xflags | inherits
    try check("ioctl(FS_IOC_FSSETXATTR)") { ax_ioctl_pointer(directory, 0x401c_5820, &raw) }
  }

  private static let inherits: UInt32 = 0x200  // FS_XFLAG_PROJINHERIT

  private static func attributes(of descriptor: Int32) throws(Errno) -> fsxattr {
    var raw = fsxattr()
    try check("ioctl(FS_IOC_FSGETXATTR)") { ax_ioctl_pointer(descriptor, 0x801c_581f, &raw) }
    return raw
  }

  // QCMD of Q_* and Q_X* with PRJQUOTA.
  private static func command(generic number: UInt32) -> UInt32 { (0x80_0000 | number) << 8 | 2 }
  private static func command(xfs number: UInt32) -> UInt32 { (0x5800 | number) << 8 | 2 }
}
