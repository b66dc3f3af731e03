/// What the first bytes of a file say about how it can be executed: what it needs, and what machine it is for.
package struct ProgramHead: Sendable, Equatable {
  /// The interpreter of a script (`#!`) or the loader of an ELF file (PT_INTERP), by its bytes; `nil` when it names none.
  package let interpreter: [UInt8]?
  package let isScript: Bool
  /// The machine that an ELF file is for, `arm64`.
  package let machine: String?
  /// Whether that is another machine than this one.
  package let isForeign: Bool

  /// How many bytes are looked at.
  package static let size = 4096

  package init(_ head: [UInt8]) {
    isScript = head.starts(with: "#!".utf8)
    let number = ProgramHead.machineNumber(head)
    machine = number.map { ProgramHead.names[$0] ?? "machine \($0)" }
    isForeign = number.map { !ProgramHead.own.contains($0) } ?? false
    interpreter = isScript ? ProgramHead.scriptInterpreter(head) : ProgramHead.loader(head)
  }

  private static let names: [UInt16: String] = [
    3: "i386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64", 183: "arm64", 243: "riscv64",
  ]

  /// What this host runs; an x86_64 kernel runs programs of i386, too.
  private static let own: Set<UInt16> = {
    #if arch(x86_64)
      [62, 3]
    #elseif arch(arm64)
      [183, 40]
    #else
      Set(names.keys)
    #endif
  }()

  private static func scriptInterpreter(_ head: [UInt8]) -> [UInt8]? {
    let line = head.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }
    let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
    // A carriage return before the newline is part of the name to the kernel; show it.
    return line.last == UInt8(ascii: "\r") && words.count == 1
      ? words.first.map { Array($0) + [0x0d] } : words.first.map(Array.init)
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

  private static func machineNumber(_ head: [UInt8]) -> UInt16? {
    guard head.count >= 20, head.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { return nil }
    return head[5] == 1 ? UInt16(head[18]) | UInt16(head[19]) << 8 : UInt16(head[19]) | UInt16(head[18]) << 8
  }
}
