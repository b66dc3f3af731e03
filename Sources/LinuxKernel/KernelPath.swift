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

  /// The same where `..` takes the one before away, links or not, and is nothing at the root (Go's path.Clean).
  package var cleanedPathComponents: [[UInt8]] {
    pathComponents.reduce(into: []) { kept, component in
      if component == Array("..".utf8) { _ = kept.popLast() } else { kept.append(component) }
    }
  }
}

extension String {
  /// An absolute path without `.`, `..`, and slashes too many.
  package var cleanedAbsolutePath: String {
    "/" + Array(utf8).cleanedPathComponents.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
  }
}

/// Text for people: bytes as UTF-8 where they are, with control characters, invalid bytes and what turns the direction of text
/// round, ends a line or hides something escaped (`\x1b`, `\u{202e}`): what `escapedForMessage` escapes in strings.
package func printable(_ bytes: some Sequence<UInt8>) -> String {
  var result = ""
  for scalar in String(decoding: Array(bytes), as: UTF8.self).unicodeScalars {
    switch scalar.value {
    case 0..<0x20, 0x7f..<0xa0, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff, 0xfffd:
      let digits = String(scalar.value, radix: 16)
      result += scalar.value < 0x100 ? "\\x" + (digits.count < 2 ? "0" : "") + digits : "\\u{\(digits)}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

extension String {
  /// The path of the directory that the last component is in, by the letters: `.` where the path has one component.
  package var parentDirectory: String {
    let bytes = Array(utf8)
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == 0 ? "/" : String(decoding: bytes[..<slash], as: UTF8.self)
  }
}
