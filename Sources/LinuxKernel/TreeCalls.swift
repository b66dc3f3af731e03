import CLinux

/// A path that is a C string already, so that calls in a hot loop need not copy it. Valid as long as its memory is.
package struct RawPath: KernelPath {
  package let pointer: UnsafePointer<CChar>
  package init(_ pointer: UnsafePointer<CChar>) { self.pointer = pointer }
  package func withPath<T>(_ body: (UnsafePointer<CChar>) throws(Errno) -> T) throws(Errno) -> T { try body(pointer) }
  /// A copy.
  package var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: pointer, count: strlen(pointer))) }
}

/// A point in time as the kernel stores it with a file.
package struct FileTime: Sendable, Equatable {
  package var seconds: Int64
  /// 0 to 999,999,999; times before 1970 have negative seconds and count up from there.
  package var nanoseconds: Int32
  package init(seconds: Int64, nanoseconds: Int32) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  fileprivate var raw: timespec { timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds)) }
}

/// Room on a file system, in bytes (statfs(2)).
package struct FileSystemSpace: Sendable, Equatable {
  package let total: UInt64
  /// What is used by nobody, also where only root may use it.
  package let free: UInt64
  /// What an unprivileged user could still write.
  package let available: UInt64
  /// Inodes that are taken; 0 where the file system does not count them.
  package let inodes: UInt64
  /// Inodes that there can be, and those that nobody has; both 0 where they are not counted.
  package let inodesTotal: UInt64
  package let inodesFree: UInt64
}

/// Sets access and modification time of an open file (futimens(3)).
package func setTimes(of descriptor: Int32, to time: FileTime) throws(Errno) {
  var times = (time.raw, time.raw)
  try withUnsafePointer(to: &times) { (pair) throws(Errno) in
    let pointer = UnsafeRawPointer(pair).assumingMemoryBound(to: timespec.self)
    try check("utimensat") { futimens(descriptor, pointer) }
  }
}

/// The same for a name, without following a link there.
package func setTimes(of path: some KernelPath, at directory: Int32, to time: FileTime) throws(Errno) {
  var times = (time.raw, time.raw)
  try path.withPath { (name) throws(Errno) in
    try withUnsafePointer(to: &times) { (pair) throws(Errno) in
      let pointer = UnsafeRawPointer(pair).assumingMemoryBound(to: timespec.self)
      try check("utimensat") { utimensat(directory, name, pointer, AT_SYMLINK_NOFOLLOW) }
    }
  }
}

/// Gives an existing file another name; a symbolic link at `old` is linked itself, not followed (linkat(2)).
package func makeHardLink(
  _ old: some KernelPath, at oldDirectory: Int32, to new: some KernelPath, at newDirectory: Int32
) throws(Errno) {
  try old.withPath { (from) throws(Errno) in
    try new.withPath { (to) throws(Errno) in try check("linkat") { linkat(oldDirectory, from, newDirectory, to, 0) } }
  }
}

/// Changes the permissions of what is at a name (fchmodat(2)). Follows a link there: only for names that this process has
/// just made, where nobody else can.
package func changeMode(of path: some KernelPath, at directory: Int32, to mode: UInt32) throws(Errno) {
  try path.withPath { (name) throws(Errno) in try check("fchmodat") { fchmodat(directory, name, mode, 0) } }
}

/// Sets the length of an open file (ftruncate(2)).
package func setLength(of descriptor: Int32, to length: Int64) throws(Errno) {
  try check("ftruncate") { ftruncate(descriptor, off_t(length)) }
}

/// Writes all of `bytes` where the file stands.
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(Errno) {
  guard let start = bytes.baseAddress else { return }
  var done = 0
  while done < bytes.count {
    done += try retrying("write") { write(descriptor, start + done, bytes.count - done) }
  }
}

/// Writes all of `bytes` at a position (pwrite(2)).
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int64) throws(Errno) {
  guard let start = bytes.baseAddress else { return }
  var done = 0
  while done < bytes.count {
    done += try retrying("pwrite") {
      pwrite(descriptor, start + done, bytes.count - done, off_t(offset) + off_t(done))
    }
  }
}

/// Reads once into `buffer`, at a position when one is given; 0 is the end.
package func readOnce(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int64?)
  throws(Errno) -> Int
{
  if let offset {
    return try retrying("pread") { pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)) }
  }
  return try retrying("read") { read(descriptor, buffer.baseAddress, buffer.count) }
}

/// Where the next byte of a file is that is in no hole, `nil` behind the last (lseek(2)). Where the file system does not say,
/// each may be one.
package func nextData(of descriptor: Int32, from offset: Int64) throws(Errno) -> Int64? {
  let found = CLinux.lseek(descriptor, off_t(offset), SEEK_DATA)
  if found >= 0 { return Int64(found) }
  let error = Errno.current("lseek")
  switch error.code {
  case ENXIO: return nil
  case EINVAL, EOPNOTSUPP: return offset
  default: throw error
  }
}

/// The names of an open file's extended attributes (flistxattr(2)).
package func attributeNames(of descriptor: Int32) throws(Errno) -> [[UInt8]] {
  var buffer = [CChar](repeating: 0, count: 65536)
  do throws(Errno) {
    let count = try retrying("flistxattr") { flistxattr(descriptor, &buffer, buffer.count) }
    return buffer[..<count].split(separator: 0).map { $0.map { UInt8(bitPattern: $0) } }
  } catch  where error.code == EOPNOTSUPP {
    return []
  }
}

/// Removes an extended attribute; one that is not there, or that the file system cannot have, is not an error.
package func removeAttribute(_ name: some KernelPath, of descriptor: Int32) throws(Errno) {
  do throws(Errno) {
    try name.withPath { (text) throws(Errno) in try check("fremovexattr") { fremovexattr(descriptor, text) } }
  } catch  where error.code == ENODATA || error.code == EOPNOTSUPP {
  }
}

/// Room on the file system that an open file is on.
package func space(of descriptor: Int32) throws(Errno) -> FileSystemSpace {
  var raw = statfs()
  try check("fstatfs") { fstatfs(descriptor, &raw) }
  let unit = UInt64(clamping: raw.f_bsize)
  func bytes(_ blocks: some BinaryInteger) -> UInt64 {
    let (product, overflow) = UInt64(clamping: blocks).multipliedReportingOverflow(by: unit)
    return overflow ? .max : product
  }
  return FileSystemSpace(
    total: bytes(raw.f_blocks), free: bytes(raw.f_bfree), available: bytes(raw.f_bavail),
    inodes: UInt64(clamping: raw.f_files) - min(UInt64(clamping: raw.f_files), UInt64(clamping: raw.f_ffree)),
    inodesTotal: UInt64(clamping: raw.f_files), inodesFree: UInt64(clamping: raw.f_ffree))
}

/// Waits until everything written to the file system of an open file is on the disk (syncfs(2)).
package func synchronizeFileSystem(of descriptor: Int32) throws(Errno) {
  try check("syncfs") { syncfs(descriptor) }
}

/// Whether names in an open directory are compared without case (`FS_CASEFOLD_FL`, ioctl_iflags(2)).
package func foldsCase(_ directory: Int32) -> Bool {
  var flags: Int = 0
  guard ax_ioctl_pointer(directory, 0x8008_6601, &flags) == 0 else { return false }  // FS_IOC_GETFLAGS
  return flags & 0x4000_0000 != 0
}

/// Sets this process' file mode creation mask and returns the former one (umask(2)).
package func setCreationMask(_ mask: UInt32) -> UInt32 { UInt32(umask(mode_t(mask))) }

/// Asks for a larger pipe (`F_SETPIPE_SZ`); the kernel may refuse, and a smaller pipe works as well.
package func enlargePipe(_ descriptor: Int32, to bytes: Int) { _ = ax_fcntl(descriptor, F_SETPIPE_SZ, bytes) }

/// A limit this process puts on itself, soft and hard (setrlimit(2)).
package enum OwnLimit: Sendable {
  case addressSpace
  case openFiles
  case processorSeconds
  case coreSize
  case fileSize

  private var number: __rlimit_resource {
    switch self {
    case .addressSpace: RLIMIT_AS
    case .openFiles: RLIMIT_NOFILE
    case .processorSeconds: RLIMIT_CPU
    case .coreSize: RLIMIT_CORE
    case .fileSize: RLIMIT_FSIZE
    }
  }

  package func set(_ value: UInt64) throws(Errno) {
    var limit = rlimit(rlim_cur: rlim_t(value), rlim_max: rlim_t(value))
    try check("setrlimit") { setrlimit(number, &limit) }
  }
}

/// Ends this process at once, without running anything that was registered for its end.
package func leave(_ status: Int32) -> Never { _exit(status) }
