import CLinux

/// The running kernel's release (uname(2)), `6.1.0-13-amd64`.
package func kernelRelease() throws(Errno) -> String {
  var names = utsname()
  try check("uname") { uname(&names) }
  return withUnsafeBytes(of: &names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
