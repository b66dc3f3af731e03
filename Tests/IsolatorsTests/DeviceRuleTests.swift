import LinuxKernel
import Testing

@testable import Isolators

/// The device program of version 2 cgroups, run by a reader of its own: what the kernel does with it is shown by tests that run tasks.
@Suite struct DeviceRuleTests {
  private static let rules = [
    DeviceRule(.character, access: .make), DeviceRule(.block, access: .make),
    DeviceRule(.character, major: 5, minor: 2),
    DeviceRule(.character, major: 136), DeviceRule(.character, major: 1, minor: 3, access: [.read, .write]),
  ]

  @Test(arguments: [
    (DeviceRule.Kind.character, 1 as UInt32, 3 as UInt32, 2 as UInt32, true), (.character, 1, 3, 6, true),
    // One of the two is allowed by another rule, and no rule allows both.
    (.character, 1, 3, 7, false), (.character, 1, 3, 1, true), (.block, 1, 3, 2, false), (.block, 8, 0, 1, true),
    (.block, 8, 0, 3, false), (.character, 136, 4711, 6, true), (.character, 5, 2, 7, true),
    (.character, 5, 0, 2, false),
    (.character, 1, 4, 2, false), (.character, 136 << 8, 0, 2, false),
  ])
  func whatOneRuleAllowsIsAllowed(kind: DeviceRule.Kind, major: UInt32, minor: UInt32, access: UInt32, allowed: Bool) {
    let program = DeviceRule.program(Self.rules)
    #expect(program.count % 8 == 0)
    #expect(run(program, [access << 16 | kind.rawValue, major, minor]) == (allowed ? 1 : 0))
  }

  @Test func withoutRulesNothingIsAllowed() {
    #expect(run(DeviceRule.program([]), [2 << 16 | 2, 1, 3]) == 0)
  }

  /// Runs what the instruction set's description says of the few instructions that are used.
  private func run(_ program: [UInt8], _ context: [UInt32]) -> UInt32? {
    var registers: [UInt32?] = Array(repeating: nil, count: 11)
    var index = 0
    while index * 8 + 8 <= program.count {
      let bytes = Array(program[(index * 8)..<(index * 8 + 8)])
      let (target, source) = (Int(bytes[1] & 15), Int(bytes[1] >> 4))
      let offset = Int(Int16(bitPattern: UInt16(bytes[2]) | UInt16(bytes[3]) << 8))
      let value = (4..<8).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[$1]) }
      index += 1
      switch bytes[0] {
      case 0x61:
        guard source == 1, offset % 4 == 0, context.indices.contains(offset / 4) else { return nil }
        registers[target] = context[offset / 4]
      case 0xbc: registers[target] = registers[source]
      case 0xb4: registers[target] = value
      case 0x54: registers[target] = registers[target].map { $0 & value }
      case 0x74: registers[target] = registers[target].map { $0 >> value }
      case 0x55:
        guard let found = registers[target] else { return nil }
        if found != value { index += offset }
      case 0x95: return registers[0]
      default: return nil
      }
    }
    return nil
  }
}
