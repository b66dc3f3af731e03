import CLinux

/// How openat2(2) may resolve a path below a directory we do not trust.
package struct Resolve: OptionSet, Sendable {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }
  // The library's own is generic, and looks its types up at run time: 4 % of a launch's user time.
  package init(arrayLiteral elements: Resolve...) { rawValue = elements.reduce(0) { $0 | $1.rawValue } }

  /// Absolute links and `..` stay inside, as if the directory were the root.
  package static let inRoot = Resolve(rawValue: UInt64(RESOLVE_IN_ROOT))
  /// Leaving the directory is an error.
  package static let beneath = Resolve(rawValue: UInt64(RESOLVE_BENEATH))
  /// No symbolic link anywhere on the way.
  package static let noSymlinks = Resolve(rawValue: UInt64(RESOLVE_NO_SYMLINKS))
  /// No `/proc/self/fd/N` and the like.
  package static let noMagicLinks = Resolve(rawValue: UInt64(RESOLVE_NO_MAGICLINKS))
  /// No crossing into another mount.
  package static let noCrossMounts = Resolve(rawValue: UInt64(RESOLVE_NO_XDEV))
}

/// What statx(2) says of a file, as far as we ask.
package struct FileStatus: Sendable, Equatable {
  package let mode: UInt32
  package let uid: UInt32
  package let gid: UInt32
  package let size: UInt64
  package let blocks: UInt64
  package let links: UInt32
  package let inode: UInt64
  package let device: UInt64
  package let deviceType: UInt64
  package let mountID: UInt64
  package let modified: Int64
  /// The part of `modified` below a second.
  package let modifiedNanoseconds: Int32
  /// When anything about it changed last, in seconds: unlike the other times its owner cannot set it.
  package let changed: Int64

  package var isDirectory: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFDIR) }
  package var isRegularFile: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFREG) }
  package var isSymbolicLink: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFLNK) }
  package var isCharacterDevice: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFCHR) }
  /// `/dev/null`, whatever name it has: the character device 1:3.
  package var isNullDevice: Bool { isCharacterDevice && deviceType == 1 << 32 | 3 }
  package var permissions: UInt32 { mode & 0o7777 }
  /// `MAJOR:MINOR:INODE`, the same under every path that leads to it and when it is moved.
  package var identity: String { "\(device >> 32):\(device & 0xffff_ffff):\(inode)" }
}

/// The directory that relative paths start from.
package let currentDirectory: Int32 = AT_FDCWD

/// Opens one of our own paths (open(2)), close-on-exec.
package func openFile(_ path: some KernelPath, _ flags: Int32, mode: UInt32 = 0, at directory: Int32 = currentDirectory)
  throws(Errno) -> FileDescriptor
{
  let number = try path.withPath { (text) throws(Errno) -> Int32 in
    try retrying("open") { ax_openat(directory, text, flags | O_CLOEXEC, mode) }
  }
  return FileDescriptor(owning: number)
}

/// Opens a path below `directory` that somebody else controls (openat2(2)); `EAGAIN`, which a rename elsewhere can
/// cause, is tried again a bounded number of times.
package func openBelow(
  _ directory: Int32, _ path: some KernelPath, _ flags: Int32, mode: UInt32 = 0, resolve: Resolve
) throws(Errno) -> FileDescriptor {
  let number = try path.withPath { (text) throws(Errno) -> Int32 in
    var attempts = 0
    while true {
      do throws(Errno) {
        return try retrying("openat2") {
          ax_openat2(directory, text, UInt64(flags | O_CLOEXEC), UInt64(mode), resolve.rawValue)
        }
      } catch  where error.code == EAGAIN && attempts < 128 {
        attempts += 1
      }
    }
  }
  return FileDescriptor(owning: number)
}

/// The status of an open file.
package func status(of descriptor: Int32) throws(Errno) -> FileStatus {
  try status(of: [UInt8](), at: descriptor, followLinks: false, empty: true)
}

/// Whether nothing has the name of an open file or directory any more.
package func isRemoved(_ descriptor: Int32) -> Bool { (try? status(of: descriptor))?.links == 0 }

/// The status of a path relative to `directory`. Does not follow a link at its end unless asked.
///
/// - Parameter asksOthers: whether a file system of another host may ask that one, and wait for it.
package func status(
  of path: some KernelPath, at directory: Int32 = currentDirectory, followLinks: Bool = false, empty: Bool = false,
  asksOthers: Bool = true
) throws(Errno) -> FileStatus {
  var raw = CLinux.statx()
  try path.withPath { (text) throws(Errno) in
    let flags =
      (followLinks ? 0 : AT_SYMLINK_NOFOLLOW) | (empty ? AT_EMPTY_PATH : 0) | AT_NO_AUTOMOUNT
      | (asksOthers ? 0 : AT_STATX_DONT_SYNC)
    try check("statx") { ax_statx(directory, text, flags, UInt32(STATX_BASIC_STATS) | UInt32(STATX_MNT_ID), &raw) }
  }
  return FileStatus(
    mode: UInt32(raw.stx_mode), uid: raw.stx_uid, gid: raw.stx_gid, size: raw.stx_size, blocks: raw.stx_blocks,
    links: raw.stx_nlink, inode: raw.stx_ino, device: UInt64(raw.stx_dev_major) << 32 | UInt64(raw.stx_dev_minor),
    deviceType: UInt64(raw.stx_rdev_major) << 32 | UInt64(raw.stx_rdev_minor), mountID: raw.stx_mnt_id,
    modified: raw.stx_mtime.tv_sec,
    modifiedNanoseconds: Int32(bitPattern: raw.stx_mtime.tv_nsec), changed: raw.stx_ctime.tv_sec)
}

/// The magic number of the file system an open file is on (statfs(2)).
package func fileSystemMagic(of descriptor: Int32) throws(Errno) -> UInt64 {
  var raw = statfs()
  try check("fstatfs") { fstatfs(descriptor, &raw) }
  return UInt64(truncatingIfNeeded: raw.f_type)
}

package func makeDirectory(_ path: some KernelPath, mode: UInt32, at directory: Int32 = currentDirectory) throws(Errno)
{
  try path.withPath { (text) throws(Errno) in try check("mkdir") { mkdirat(directory, text, mode) } }
}

package func removeFile(_ path: some KernelPath, at directory: Int32 = currentDirectory) throws(Errno) {
  try path.withPath { (text) throws(Errno) in try check("unlink") { unlinkat(directory, text, 0) } }
}

package func removeDirectory(_ path: some KernelPath, at directory: Int32 = currentDirectory) throws(Errno) {
  try path.withPath { (text) throws(Errno) in try check("rmdir") { unlinkat(directory, text, AT_REMOVEDIR) } }
}

package func rename(
  _ old: some KernelPath, to new: some KernelPath, at directory: Int32 = currentDirectory,
  toDirectory: Int32? = nil
) throws(Errno) {
  try old.withPath { (from) throws(Errno) in
    try new.withPath { (to) throws(Errno) in
      try check("rename") { renameat(directory, from, toDirectory ?? directory, to) }
    }
  }
}

/// Gives something a name that nothing may have: `EEXIST` where something has it.
package func renameNew(_ old: String, to new: String) throws(Errno) {
  try old.withPath { (from) throws(Errno) in
    try new.withPath { (to) throws(Errno) in
      do throws(Errno) {
        try check("rename") { renameat2(currentDirectory, from, currentDirectory, to, UInt32(RENAME_NOREPLACE)) }
      } catch  where error.code == EINVAL {
        // A file system that cannot promise it: there only a directory with something in it is safe from a rename.
        try check("rename") { renameat(currentDirectory, from, currentDirectory, to) }
      }
    }
  }
}

package func makeSymbolicLink(
  _ path: some KernelPath, to target: some KernelPath, at directory: Int32 = currentDirectory
)
  throws(Errno)
{
  try target.withPath { (content) throws(Errno) in
    try path.withPath { (name) throws(Errno) in try check("symlink") { symlinkat(content, directory, name) } }
  }
}

package func makeHardLink(_ path: some KernelPath, at directory: Int32, to file: Int32) throws(Errno) {
  try path.withPath { (name) throws(Errno) in
    try check("link") { linkat(file, "", directory, name, AT_EMPTY_PATH) }
  }
}

package func makeNode(_ path: some KernelPath, mode: UInt32, major: UInt32, minor: UInt32, at directory: Int32)
  throws(Errno)
{
  try path.withPath { (name) throws(Errno) in
    try check("mknod") { mknodat(directory, name, mode, ax_makedev(major, minor)) }
  }
}

package func readSymbolicLink(_ path: some KernelPath, at directory: Int32 = currentDirectory) throws(Errno) -> [UInt8]
{
  var buffer = [CChar](repeating: 0, count: 4096)
  let count = try path.withPath { (name) throws(Errno) -> Int in
    try retrying("readlink") { readlinkat(directory, name, &buffer, buffer.count) }
  }
  return buffer[..<count].map { UInt8(bitPattern: $0) }
}

/// A path without links, `.` and `..`, of something that is there (realpath(3)).
package func realPath(_ path: some KernelPath) throws(Errno) -> [UInt8] {
  let found = try path.withPath { (name) throws(Errno) -> UnsafeMutablePointer<CChar> in
    guard let found = realpath(name, nil) else { throw Errno.current("realpath") }
    return found
  }
  defer { free(found) }
  return RawPath(found).bytes
}

/// Changes the owner of an open file, or of the file itself for an `O_PATH` descriptor.
package func changeOwner(of descriptor: Int32, uid: UInt32, gid: UInt32) throws(Errno) {
  try check("fchownat") { fchownat(descriptor, "", uid, gid, AT_EMPTY_PATH) }
}

package func changeOwner(of path: some KernelPath, at directory: Int32, uid: UInt32, gid: UInt32) throws(Errno) {
  try path.withPath { (name) throws(Errno) in
    try check("fchownat") { fchownat(directory, name, uid, gid, AT_SYMLINK_NOFOLLOW) }
  }
}

/// Changes the permissions of an open file (not of an `O_PATH` descriptor).
package func changeMode(of descriptor: Int32, to mode: UInt32) throws(Errno) {
  try check("fchmod") { fchmod(descriptor, mode) }
}

/// Makes a directory and its missing parents, our own paths only.
package func makeDirectories(_ path: String, mode: UInt32 = 0o755) throws(Errno) {
  do throws(Errno) {
    try makeDirectory(path, mode: mode)
  } catch  where error.code == EEXIST {
    return
  } catch  where error.code == ENOENT {
    let bytes = Array(path.utf8)
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")), slash > 0 else { throw error }
    try makeDirectories(String(decoding: bytes[..<slash], as: UTF8.self), mode: mode)
    do throws(Errno) { try makeDirectory(path, mode: mode) } catch  where error.code == EEXIST {}
  }
}

/// The content of one of our own files, at most `limit` bytes.
package func readFile(_ path: some KernelPath, limit: Int = 1 << 20, at directory: Int32 = currentDirectory)
  throws(Errno) -> [UInt8]
{
  let file = try openFile(path, O_RDONLY | O_NOCTTY, at: directory)
  return try file.readToEnd(limit: limit)
}

/// The content of a file in a directory that somebody else may write to: only of a regular one, no link is followed, and
/// nothing is waited for. Anything else is `EINVAL`.
///
/// - Parameter followLinks: of what its owner may have made a link.
package func readRegularFile(_ path: some KernelPath, limit: Int = 1 << 20, followLinks: Bool = false) throws(Errno)
  -> [UInt8]
{
  let file = try openFile(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | (followLinks ? 0 : O_NOFOLLOW))
  guard try status(of: file.rawValue).isRegularFile else { throw Errno("open", code: EINVAL) }
  return try file.readToEnd(limit: limit)
}

/// Replaces a file whole: written beside it, then renamed over it. With `durable`, content and name survive a power cut.
package func writeFileAtomically(
  _ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644, durable: Bool = false
) throws(Errno) {
  let file = try PreparedFile(path, bytes, mode: mode, durable: durable)
  try file.takePlace()
}

/// Cuts an open file off (ftruncate(2)).
package func truncate(_ file: borrowing FileDescriptor, to bytes: Int64) throws(Errno) {
  let number = file.rawValue
  try check("ftruncate") { ftruncate(number, off_t(bytes)) }
}

/// Allocates room in an open file without making it longer (fallocate(2)), so that it can be written when the disk is full.
///
/// - Returns: false where the file system cannot.
package func allocate(_ file: borrowing FileDescriptor, from offset: Int64, bytes: Int64) throws(Errno) -> Bool {
  let number = file.rawValue
  do throws(Errno) {
    try check("fallocate") { ax_allocate(number, off_t(offset), off_t(bytes)) }
    return true
  } catch  where error.code == EOPNOTSUPP || error.code == ENOSYS {
    return false
  }
}

/// A file without a name in a directory (O_TMPFILE, open(2)), for reading and appending, mode 0600; `link` gives it one. In memory where
/// the file system has none: then it can have none.
package func openTemporary(in directory: String) throws(Errno) -> FileDescriptor {
  do throws(Errno) {
    return FileDescriptor(owning: try retrying("open") { directory.withCString { ax_open_temporary($0) } })
  } catch {
    guard error.code == EOPNOTSUPP || error.code == EISDIR else { throw error }
  }
  return FileDescriptor(owning: try retrying("memfd_create") { memfd_create("log", UInt32(MFD_CLOEXEC)) })
}

/// Gives an open file without a name one (linkat(2)). Fails with `EEXIST` when that is taken, and `EXDEV` or `ENOENT` for a file that cannot have
/// it.
package func link(_ descriptor: Int32, as path: String) throws(Errno) {
  try check("linkat") {
    linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, path, AT_SYMLINK_FOLLOW)
  }
}
