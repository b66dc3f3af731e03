/// An instruction of the kernel's filter machine (linux/filter.h), as far as filters of system calls need them.
enum Instruction: Equatable {
  /// A place in `struct seccomp_data`.
  enum Word: Equatable {
    case number, architecture
    case lowerHalf(argument: UInt32)
    case upperHalf(argument: UInt32)

    /// Both kinds of machine are little-endian.
    fileprivate var offset: UInt32 {
      switch self {
      case .number: 0
      case .architecture: 4
      case .lowerHalf(let argument): 16 + 8 * argument
      case .upperHalf(let argument): 20 + 8 * argument
      }
    }
  }

  enum Comparison: UInt16 {
    case equal = 0x15
    case greater = 0x25
    case greaterOrEqual = 0x35
  }

  case load(Word)
  case and(UInt32)
  /// Compares what was loaded and passes over so many instructions.
  case jump(Comparison, UInt32, yes: UInt8, no: UInt8)
  case skip(Int)
  case answer(UInt32)

  /// Adds its 8 bytes: code, two jumps, value.
  func append(to bytes: inout [UInt8]) {
    switch self {
    case .load(let word): put(0x20, word.offset, to: &bytes)
    case .and(let mask): put(0x54, mask, to: &bytes)
    case .jump(let comparison, let value, let yes, let no): put(comparison.rawValue, value, yes, no, to: &bytes)
    case .skip(let count): put(0x05, UInt32(count), to: &bytes)
    case .answer(let value): put(0x06, value, to: &bytes)
    }
  }

  private func put(_ code: UInt16, _ value: UInt32, _ yes: UInt8 = 0, _ no: UInt8 = 0, to bytes: inout [UInt8]) {
    bytes.append(UInt8(truncatingIfNeeded: code))
    bytes.append(UInt8(truncatingIfNeeded: code >> 8))
    bytes.append(yes)
    bytes.append(no)
    for shift in [UInt32(0), 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
  }
}

/// A condition as instructions: what follows them is done when it holds, and passed over when it does not.
struct ConditionTest {
  private let condition: SeccompProfile.Condition
  private let isInteger: Bool

  /// - Parameter isInteger: the kernel drops the upper half of the argument, so it is not looked at.
  init(_ condition: SeccompProfile.Condition, isInteger: Bool) {
    self.condition = condition
    self.isInteger = isInteger
  }

  private func half(_ value: UInt64, upper: Bool) -> UInt32 {
    UInt32(truncatingIfNeeded: upper ? value >> 32 : value)
  }

  /// - Parameter count: how many instructions follow that only count when the condition holds: a rule's at most, of six
  ///   conditions with six instructions each, so that a jump reaches over them.
  func instructions(past count: Int) -> [Instruction] {
    let no = UInt8(count)
    let value = half(condition.value, upper: false)
    let load = Instruction.load(.lowerHalf(argument: condition.index))
    let lower: [Instruction]
    switch condition.comparison {
    case .equal: lower = [load, .jump(.equal, value, yes: 0, no: no)]
    case .notEqual: lower = [load, .jump(.equal, value, yes: no, no: 0)]
    case .greater: lower = [load, .jump(.greater, value, yes: 0, no: no)]
    case .greaterOrEqual: lower = [load, .jump(.greaterOrEqual, value, yes: 0, no: no)]
    case .less: lower = [load, .jump(.greaterOrEqual, value, yes: no, no: 0)]
    case .lessOrEqual: lower = [load, .jump(.greater, value, yes: no, no: 0)]
    case .maskedEqual:
      lower = [load, .and(value), .jump(.equal, half(condition.valueTwo, upper: false), yes: 0, no: no)]
    }
    return isInteger ? lower : upperHalf(before: lower, past: no) + lower
  }

  private func upperHalf(before lower: [Instruction], past count: UInt8) -> [Instruction] {
    let value = half(condition.value, upper: true)
    let load = Instruction.load(.upperHalf(argument: condition.index))
    let holds = UInt8(lower.count)
    let fails = holds + count
    switch condition.comparison {
    case .equal: return [load, .jump(.equal, value, yes: 0, no: fails)]
    case .notEqual: return [load, .jump(.equal, value, yes: 0, no: holds)]
    case .greater, .greaterOrEqual:
      return [load, .jump(.greater, value, yes: holds + 1, no: 0), .jump(.equal, value, yes: 0, no: fails)]
    case .less, .lessOrEqual:
      return [load, .jump(.greater, value, yes: fails + 1, no: 0), .jump(.equal, value, yes: 0, no: holds)]
    case .maskedEqual:
      return [load, .and(value), .jump(.equal, half(condition.valueTwo, upper: true), yes: 0, no: fails)]
    }
  }
}
