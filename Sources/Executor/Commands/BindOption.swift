import Glibc
import LinuxKernel
import TaskStore

/// `--bind KEY=VALUE`, and `--bind KEY=@FILE` for what shall not stand on a command line, where everybody may read it.
enum BindOption {
  private static let limit = 1 << 20

  /// Key and value. Of a file the value is its text without a newline at the end; `@@x` is the value `@x`.
  static func read(_ text: String) throws(ExecutorFailure) -> [String] {
    let bytes = Array(text.utf8)
    guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")), equals > 0 else {
      // Whatever it is, it may be a secret.
      throw ExecutorFailure(.usage, "--bind: it is KEY=VALUE or KEY=@FILE")
    }
    let key = String(decoding: bytes[..<equals], as: UTF8.self)
    let value = bytes[(equals + 1)...]
    let marker = UInt8(ascii: "@")
    guard value.first == marker else { return [key, String(decoding: value, as: UTF8.self)] }
    let rest = value.dropFirst()
    if rest.first == marker { return [key, String(decoding: rest, as: UTF8.self)] }
    return [key, try content(of: String(decoding: rest, as: UTF8.self), key)]
  }

  private static func content(of path: String, _ key: String) throws(ExecutorFailure) -> String {
    var bytes: [UInt8]
    do throws(Errno) {
      bytes = try openFile(path, O_RDONLY | O_NOCTTY).readToEnd(limit: limit)
    } catch {
      throw ExecutorFailure(
        error.code == ENOENT ? .notFound : .usage,
        "--bind \(printable(key.utf8)): cannot read \(printable(path.utf8)): \(error)")
    }
    if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
      throw ExecutorFailure(.usage, "--bind \(printable(key.utf8)): \(printable(path.utf8)) is no UTF-8 text")
    }
    return text
  }
}
