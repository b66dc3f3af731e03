import CLinux

/// Sets an extended attribute of an open file (fsetxattr(2)).
package func setAttribute(_ name: some KernelPath, _ value: [UInt8], of descriptor: Int32) throws(Errno) {
  try name.withPath { (text) throws(Errno) in
    try check("fsetxattr") { fsetxattr(descriptor, text, value, value.count, 0) }
  }
}

/// Sets an extended attribute of one of our own paths (setxattr(2)).
package func setAttribute(_ name: some KernelPath, _ value: [UInt8], of path: some KernelPath) throws(Errno) {
  try path.withPath { (path) throws(Errno) in
    try name.withPath { (name) throws(Errno) in
      try check("setxattr") { setxattr(path, name, value, value.count, 0) }
    }
  }
}

/// The value of an extended attribute of one of our own paths, `nil` when there is none (getxattr(2)).
///
/// - Parameter limit: the most that it may have, in bytes; more is `ERANGE`.
package func attribute(_ name: some KernelPath, of path: some KernelPath, limit: Int) throws(Errno) -> [UInt8]? {
  var value = [UInt8](repeating: 0, count: limit)
  do throws(Errno) {
    let count = try path.withPath { (path) throws(Errno) -> Int in
      try name.withPath { (name) throws(Errno) -> Int in
        try retrying("getxattr") { getxattr(path, name, &value, value.count) }
      }
    }
    return Array(value[..<count])
  } catch  where error.code == ENODATA || error.code == EOPNOTSUPP {
    return nil
  }
}

/// The value of an extended attribute, `nil` when there is none (fgetxattr(2)).
package func attribute(_ name: some KernelPath, of descriptor: Int32) throws(Errno) -> [UInt8]? {
  var value = [UInt8](repeating: 0, count: 65536)
  do throws(Errno) {
    let count = try name.withPath { (text) throws(Errno) -> Int in
      try retrying("fgetxattr") { fgetxattr(descriptor, text, &value, value.count) }
    }
    return Array(value[..<count])
  } catch  where error.code == ENODATA || error.code == EOPNOTSUPP {
    return nil
  }
}
