import CLinux

/// What the kernel takes as a path: our own paths as `String`, everything that a task or an image controls as bytes.
///
/// Bytes are never turned into `String` on the way: Swift compares strings by grapheme, which hides separators.
package protocol KernelPath {
  /// Calls `body` with the path as a C string; `EINVAL` when it holds a NUL.
  func withPath<T>(_ body: (UnsafePointer<CChar>) throws(Errno) -> T) throws(Errno) -> T
}

extension String: KernelPath {
  package func withPath<T>(_ body: (UnsafePointer<CChar>) throws(Errno) -> T) throws(Errno) -> T {
    try Array(utf8).withPath(body)
  }
}

extension Array: KernelPath where Element == UInt8 {
  package func withPath<T>(_ body: (UnsafePointer<CChar>) throws(Errno) -> T) throws(Errno) -> T {
    if contains(0) { throw Errno("path", code: EINVAL) }
    var terminated = self
    terminated.append(0)
    let result: Result<T, Errno> = terminated.withUnsafeBytes { buffer in
      do throws(Errno) {
        guard let base = buffer.baseAddress else { throw Errno("path", code: EINVAL) }
        return .success(try body(base.assumingMemoryBound(to: CChar.self)))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}

extension Array where Element == UInt8 {
  /// The components of a path: split at `/`, empty ones and `.` left out, `..` kept for the caller to judge.
  package var pathComponents: [[UInt8]] {
    split(separator: UInt8(ascii: "/")).map(Array.init).filter { $0 != [UInt8(ascii: ".")] }
  }
}

/// Text for people: bytes as UTF-8 where they are, with control characters and invalid bytes escaped (`\x1b`).
package func printable(_ bytes: some Sequence<UInt8>) -> String {
  var result = ""
  for scalar in String(decoding: Array(bytes), as: UTF8.self).unicodeScalars {
    if scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) || scalar.value == 0xfffd {
      let digits = String(scalar.value, radix: 16)
      result += scalar.value < 0x100 ? "\\x" + (digits.count < 2 ? "0" : "") + digits : "\\u{\(digits)}"
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}
