import Glibc
import LinuxKernel

/// Why execve(2) refused a file, in words: the kernel says ENOENT also when it is the interpreter that is missing.
enum ExecutionDiagnosis {
  /// One clause that names the path, the cause and the errno.
  static func reason(_ path: String, _ error: Errno) -> String {
    switch error.code {
    case ENOENT:
      guard (try? status(of: path, followLinks: true)) != nil else {
        return "\(path): not in the container (ENOENT)"
      }
      if let interpreter = interpreter(of: path) {
        return "\(path): its interpreter \(printable(interpreter)) is not in the container (ENOENT)"
      }
      return "\(path): something it needs is not in the container (ENOENT)"
    case EACCES:
      if (try? status(of: path, followLinks: true))?.isDirectory == true { return "\(path): is a directory (EACCES)" }
      return "\(path): not executable for this user (EACCES)"
    case ENOEXEC:
      return "\(path): " + (architecture(of: path) ?? "not a program this kernel can run") + " (ENOEXEC)"
    case E2BIG: return "\(path): the arguments and the environment are too long (E2BIG)"
    default: return "\(path): \(error.explanation)"
    }
  }

  /// The interpreter of a script (`#!`) or the loader of an ELF file; `nil` when it names none.
  private static func interpreter(of path: String) -> [UInt8]? {
    guard let file = try? openFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY),
      let head = try? file.read(upTo: 4096, at: 0)
    else { return nil }
    if head.starts(with: "#!".utf8) {
      let line = head.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }
      let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
      // A carriage return before the newline is part of the name to the kernel; show it.
      return line.last == UInt8(ascii: "\r") ? words.first.map { Array($0) + [0x0d] } : words.first.map(Array.init)
    }
    return loader(head)
  }

  /// PT_INTERP of a 64-bit little-endian ELF file whose program headers are in its first page (elf(5)).
  private static func loader(_ head: [UInt8]) -> [UInt8]? {
    func integer(_ offset: Int, _ size: Int) -> Int? {
      guard offset >= 0, offset <= head.count - size else { return nil }
      return Int(exactly: (0..<size).reduce(UInt64(0)) { $0 | UInt64(head[offset + $1]) << UInt64($1 * 8) })
    }
    guard head.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]), let table = integer(32, 8), let size = integer(54, 2),
      let count = integer(56, 2), table <= head.count
    else { return nil }
    for index in 0..<count {
      let entry = table + index * size
      guard let type = integer(entry, 4) else { return nil }
      guard type == 3, let offset = integer(entry + 8, 8), let length = integer(entry + 32, 8) else { continue }
      guard offset <= head.count, length > 0, length <= head.count - offset else { return nil }
      return Array(head[offset..<(offset + length)].prefix { $0 != 0 })
    }
    return nil
  }

  /// What machine an ELF file is for, when that is not this one.
  private static func architecture(of path: String) -> String? {
    guard let file = try? openFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY), let head = try? file.read(upTo: 20, at: 0),
      head.count == 20, head.starts(with: [0x7f, 0x45, 0x4c, 0x46])
    else { return nil }
    let names: [UInt16: String] = [
      3: "i386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64", 183: "arm64", 243: "riscv64",
    ]
    let machine = head[5] == 1 ? UInt16(head[18]) | UInt16(head[19]) << 8 : UInt16(head[19]) | UInt16(head[18]) << 8
    return "built for \(names[machine] ?? "machine \(machine)"), which this host is not"
  }
}
