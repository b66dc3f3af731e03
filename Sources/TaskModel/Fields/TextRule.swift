/// What the text of a field must look like, by its bytes. Checked after templates are bound.
enum TextRule: Sendable {
  /// Any text without NUL.
  case any
  /// A command line: one argument of a program.
  case command
  /// The name of a process or a task, which becomes the name of a directory.
  case fileName
  /// Aurora's `^[\w\-\.]+$` for roles, environments, jobs.
  case identifier
  /// The name of an account of the host.
  case role
  /// A path without `..`.
  case path
  case absolutePath
  /// The path part of a URL.
  case endpoint
  /// The name of an image, or a part of it.
  case imageReference
  /// One line of visible text.
  case line

  /// The kernel passes no argument longer than this (MAX_ARG_STRLEN, 32 pages), its NUL included.
  private static var longestArgument: Int { 131_071 }

  /// The most bytes that the text may have.
  var limit: Int {
    switch self {
    case .any: 1 << 20
    case .command: Self.longestArgument
    case .fileName, .identifier: 255
    case .role: 32
    case .path, .absolutePath: 4095
    case .endpoint: 2048
    case .imageReference: 512
    case .line: 4096
    }
  }

  /// The rule as a regular expression for the schema, as far as it can be said as one.
  var pattern: String {
    switch self {
    case .any, .command: "^[^\\u0000]*$"
    case .fileName: "^[^./\\u0000-\\u001f\\u007f][^/\\u0000-\\u001f\\u007f]*$"
    case .identifier: "^[A-Za-z0-9_.-]+$"
    case .role: "^[A-Za-z0-9_.][A-Za-z0-9_.-]*$"
    case .path: "^[^\\u0000]+$"
    case .absolutePath: "^/[^\\u0000]*$"
    case .endpoint, .imageReference: "^[\\u0021-\\u007e]+$"
    case .line: "^[^\\u0000-\\u001f\\u007f]*$"
    }
  }

  /// What is wrong with a text, as the end of a sentence about it; nil when nothing is.
  func problem(with bytes: [UInt8]) -> String? {
    if bytes.count > limit {
      return "is \(bytes.count) bytes long; at most \(limit) are possible"
    }
    if bytes.contains(0) { return "contains a NUL character" }
    switch self {
    case .any, .command: return nil
    case .fileName: return fileNameProblem(bytes)
    case .identifier: return identifierProblem(bytes)
    case .role: return roleProblem(bytes)
    case .path, .absolutePath: return pathProblem(bytes)
    case .endpoint, .imageReference:
      if bytes.isEmpty { return "is empty" }
      return bytes.allSatisfy { (0x21...0x7e).contains($0) } ? nil : "contains a blank or a byte that is not ASCII"
    case .line: return hasControl(bytes) ? "contains a control character" : nil
    }
  }

  private func hasControl(_ bytes: [UInt8]) -> Bool { bytes.contains { $0 < 0x20 || $0 == 0x7f } }

  private func fileNameProblem(_ bytes: [UInt8]) -> String? {
    guard let first = bytes.first else { return "is empty" }
    if first == UInt8(ascii: ".") { return "starts with a dot" }
    if bytes.contains(UInt8(ascii: "/")) { return "contains a slash" }
    return hasControl(bytes) ? "contains a control character" : nil
  }

  private func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  private func identifierProblem(_ bytes: [UInt8]) -> String? {
    if bytes.isEmpty { return "is empty" }
    guard bytes.allSatisfy(isWord) else {
      return "contains something else than letters, digits, \"_\", \".\" and \"-\""
    }
    return bytes.allSatisfy { $0 == UInt8(ascii: ".") } ? "consists of dots" : nil
  }

  private func roleProblem(_ bytes: [UInt8]) -> String? {
    if let problem = identifierProblem(bytes) { return problem }
    if bytes.first == UInt8(ascii: "-") { return "starts with \"-\"" }
    let isNumber = bytes.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    return isNumber ? "consists of digits only, so it would be taken for a number" : nil
  }

  private func pathProblem(_ bytes: [UInt8]) -> String? {
    if bytes.isEmpty { return "is empty" }
    if case .absolutePath = self, bytes.first != UInt8(ascii: "/") { return "is not an absolute path" }
    for part in bytes.split(separator: UInt8(ascii: "/")) {
      if part.elementsEqual("..".utf8) { return "contains \"..\"" }
      if part.count > 255 { return "has a part of \(part.count) bytes; at most 255 are possible" }
    }
    return hasControl(bytes) ? "contains a control character" : nil
  }
}
