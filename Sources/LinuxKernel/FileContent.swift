import CLinux

/// Where the next hole of a file begins, its end at the latest (lseek(2)); `nil` where the file system does not say.
package func nextHole(of descriptor: Int32, from offset: Int64) throws(Errno) -> Int64? {
  let found = CLinux.lseek(descriptor, off_t(offset), SEEK_HOLE)
  if found >= 0 { return Int64(found) }
  let error = Errno.current("lseek")
  switch error.code {
  case ENXIO, EINVAL, EOPNOTSUPP: return nil
  default: throw error
  }
}

/// Copies once, at most `count` bytes, to the same place of another file (copy_file_range(2)), without that the bytes pass
/// through this process. Returns how many it were, 0 at the end, `nil` where these two files cannot be copied like that.
package func copyOnce(from source: Int32, to target: Int32, at offset: Int64, count: Int) throws(Errno) -> Int? {
  var (from, to) = (off_t(offset), off_t(offset))
  do throws(Errno) {
    return try retrying("copy_file_range") { copy_file_range(source, &from, target, &to, count, 0) }
  } catch  where [EXDEV, EINVAL, EOPNOTSUPP, ENOSYS].contains(error.code) {
    return nil
  }
}
