import CLinux

/// Lets one user walk through a directory that is closed to all but its owner, and do nothing else with it, by an access
/// control list (acl(5)). `EOPNOTSUPP` where the file system has none.
package func allowSearch(of directory: Int32, by user: UInt32) throws(Errno) {
  // The value of system.posix_acl_access (linux/posix_acl_xattr.h): version 2, then tag, permissions and id of each entry.
  let (owner, named, group, mask, other): (UInt16, UInt16, UInt16, UInt16, UInt16) = (0x01, 0x02, 0x04, 0x10, 0x20)
  let entries: [(tag: UInt16, permissions: UInt16, id: UInt32)] = [
    (owner, 7, .max), (named, 1, user), (group, 0, .max), (mask, 1, .max), (other, 0, .max),
  ]
  var value: [UInt8] = [2, 0, 0, 0]
  for entry in entries {
    for number in [entry.tag, entry.permissions] { value += [UInt8(number & 0xff), UInt8(number >> 8)] }
    value += (0..<4).map { UInt8(truncatingIfNeeded: entry.id >> ($0 * 8)) }
  }
  try setAttribute("system.posix_acl_access", value, of: directory)
}
