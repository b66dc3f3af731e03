import CLinux

/// Advisory locks that belong to an open file (flock(2)): a duplicate, also one inherited by another process, keeps the
/// lock until the last of them is closed.
package enum FileLock {
  package enum Mode: Sendable {
    case shared
    case exclusive
  }

  /// Takes the lock, waiting for it when `wait` is true.
  ///
  /// Returns whether it was taken; `false` only without `wait`, when somebody else holds a lock that excludes this one.
  package static func take(_ mode: Mode, on descriptor: Int32, wait: Bool) throws(Errno) -> Bool {
    let operation = (mode == .shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB)
    do throws(Errno) {
      try check("flock") { flock(descriptor, operation) }
      return true
    } catch  where error.code == EWOULDBLOCK && !wait {
      return false
    }
  }
}
