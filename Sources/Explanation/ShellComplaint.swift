/// Why a shell could not run a command, as it says itself on stderr before it ends with 126 or 127.
///
///     sh: 1: foo: not found                                             dash
///     bash: line 1: foo: command not found                              bash
///     sh: foo: not found                                                busybox
///     ./x: /usr/bin/python3: bad interpreter: No such file or directory bash
enum ShellComplaint: Equatable {
  case notFound([UInt8])
  /// The kernel found the file, and not what the file needs: bash from 5.2 on says so.
  case needsMissingFile([UInt8])
  case badInterpreter(script: [UInt8], interpreter: [UInt8])
  case wrongFormat([UInt8])
  case notPermitted([UInt8])
  case directory([UInt8])

  /// The last complaint of a shell that ended so; `nil` when there is none.
  init?(exitStatus: Int32, stderr lines: [[UInt8]]) {
    guard exitStatus == 126 || exitStatus == 127 else { return nil }
    for line in lines.suffix(20).reversed() {
      if let found = ShellComplaint(line, exitStatus) {
        self = found
        return
      }
    }
    return nil
  }

  private init?(_ line: [UInt8], _ exitStatus: Int32) {
    /// The parts between colons when the line ends so, the last of them first.
    func parts(before ending: String) -> [[UInt8]]? {
      guard line.count > ending.utf8.count, line.suffix(ending.utf8.count).elementsEqual(ending.utf8) else {
        return nil
      }
      return ShellComplaint.split(Array(line.dropLast(ending.utf8.count))).reversed()
    }
    if let found = parts(before: ": bad interpreter: No such file or directory"), found.count > 1 {
      self = .badInterpreter(script: found[1], interpreter: found[0])
    } else if let found = parts(before: ": cannot execute: required file not found")?.first {
      self = .needsMissingFile(found)
    } else if let found =
      (parts(before: ": cannot execute binary file: Exec format error")
      ?? parts(before: ": Exec format error") ?? parts(before: ": cannot execute binary file"))?.first
    {
      self = .wrongFormat(found)
    } else if let found = (parts(before: ": command not found") ?? parts(before: ": not found"))?.first {
      self = .notFound(found)
    } else if exitStatus == 127, let found = parts(before: ": No such file or directory")?.first {
      self = .notFound(found)
    } else if exitStatus == 126, let found = parts(before: ": Permission denied")?.first {
      self = .notPermitted(found)
    } else if exitStatus == 126,
      let found =
        (parts(before: ": cannot execute: Is a directory") ?? parts(before: ": Is a directory")
        ?? parts(before: ": is a directory"))?.first
    {
      self = .directory(found)
    } else {
      return nil
    }
  }

  /// Split at `: `, without the quotes that some programs put around names.
  private static func split(_ line: [UInt8]) -> [[UInt8]] {
    var result: [[UInt8]] = [[]]
    for byte in line {
      if byte == UInt8(ascii: " "), result[result.count - 1].last == UInt8(ascii: ":") {
        result[result.count - 1].removeLast()
        result.append([])
      } else {
        result[result.count - 1].append(byte)
      }
    }
    return result.map { part in
      for (open, close) in [("'", "'"), ("\u{2018}", "\u{2019}")] {
        let (open, close) = (Array(open.utf8), Array(close.utf8))
        if part.count > open.count + close.count, part.starts(with: open), part.suffix(close.count).elementsEqual(close)
        {
          return Array(part.dropFirst(open.count).dropLast(close.count))
        }
      }
      return part
    }
  }

  /// The file it is about.
  var path: [UInt8] {
    switch self {
    case .notFound(let path), .needsMissingFile(let path), .wrongFormat(let path), .notPermitted(let path),
      .directory(let path):
      path
    case .badInterpreter(let script, _): script
    }
  }
}
