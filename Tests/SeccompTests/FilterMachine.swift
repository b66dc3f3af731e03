/// Runs programs of the kernel's filter machine (linux/filter.h), as far as libseccomp makes use of it.
struct FilterMachine {
  struct Call {
    var architecture: UInt32
    var number: UInt32
    var arguments: [UInt64]
    /// `struct seccomp_data`: number, architecture, instruction pointer, six arguments.
    fileprivate var words: [UInt32] {
      [number, architecture, 0, 0]
        + (0..<6).flatMap { index -> [UInt32] in
          let value = index < arguments.count ? arguments[index] : 0
          return [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
        }
    }
  }

  struct Fault: Error { let what: String }

  let program: [UInt8]

  /// What the kernel does with the call.
  func decision(_ call: Call) throws -> UInt32 {
    let words = call.words
    var at = 0
    var accumulator = UInt32(0)
    var steps = 0
    while at * 8 + 8 <= program.count {
      steps += 1
      let bytes = program[(at * 8)..<(at * 8 + 8)].map { UInt32($0) }
      let code = bytes[0] | bytes[1] << 8
      let value = bytes[4] | bytes[5] << 8 | bytes[6] << 16 | bytes[7] << 24
      at += 1
      func jump(_ holds: Bool) { at += Int(holds ? bytes[2] : bytes[3]) }
      switch code {
      case 0x20:
        guard value % 4 == 0, value / 4 < 16 else { throw Fault(what: "load of \(value)") }
        accumulator = words[Int(value / 4)]
      case 0x54: accumulator &= value
      case 0x05: at += Int(value)
      case 0x15: jump(accumulator == value)
      case 0x25: jump(accumulator > value)
      case 0x35: jump(accumulator >= value)
      case 0x45: jump(accumulator & value != 0)
      case 0x06: return value
      default: throw Fault(what: "instruction \(code)")
      }
    }
    throw Fault(what: "no answer after \(steps) steps")
  }
}
