import Glibc
import LinuxKernel

/// A profile in, a program of the kernel's filter machine out (`struct sock_filter`, 8 bytes an instruction).
///
/// Not by libseccomp's own compiler, of which only the numbers of the calls are used: it lets an unconditional permission
/// swallow conditional refusals, and on x32 it looks at the lower half of every argument only
/// (docs/decisions/0009-seccomp.md has what was found).
enum FilterCompiler {
  /// What the kernel takes at most (`BPF_MAXINSNS`).
  static let mostInstructions = 4096

  static func compile(_ profile: SeccompProfile, _ situation: SeccompProfile.Situation) throws(Errno) -> [UInt8] {
    let rules = profile.rules(in: situation)
    let architectures = profile.architectures(in: situation)
    var program: [Instruction] = [.load(.architecture)]
    for architecture in architectures where architecture != .x32 {
      var decisions = decisions(rules, on: architecture, default: profile.defaultAction)
      var unknown = [NumberRange(first: 0, block: answer(profile.defaultAction))]
      if architecture == .amd64 {
        // x32 is x86_64 with a bit more in the number.
        let known = architectures.contains(.x32)
        if known { decisions += self.decisions(rules, on: .x32, default: profile.defaultAction) }
        let block = answer(known ? profile.defaultAction : .killThread)
        unknown.append(NumberRange(first: SystemCallNumbers.x32Bit, block: block))
      }
      let block = [.load(.number)] + tree(ranges(decisions, between: unknown)[...])
      program += [.jump(.equal, architecture.token, yes: 1, no: 0), .skip(block.count)] + block
    }
    // An architecture that the profile does not name.
    program += answer(.killThread)
    guard program.count <= mostInstructions else { throw Errno("seccomp", code: E2BIG) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(program.count * 8)
    for instruction in program { instruction.append(to: &bytes) }
    return bytes
  }

  private static func answer(_ action: SeccompProfile.Action) -> [Instruction] { [.answer(action.rawValue)] }

  /// What the rules say of one call: most have one rule, without conditions.
  private struct Decision {
    /// The strictest action without a condition.
    var always: SeccompProfile.Action?
    var conditional: [SeccompProfile.Rule] = []

    mutating func add(_ rule: SeccompProfile.Rule) {
      if rule.conditions.isEmpty {
        always = always.map { min($0, rule.action) } ?? rule.action
      } else {
        conditional.append(rule)
      }
    }
  }

  /// What becomes of each call that has rules, by its number.
  private static func decisions(
    _ rules: [SeccompProfile.Rule], on architecture: Architecture, default action: SeccompProfile.Action
  ) -> [(number: UInt32, block: [Instruction])] {
    var byNumber: [UInt32: Decision] = [:]
    byNumber.reserveCapacity(512)
    for rule in rules {
      // A call that is not known here gets the default action.
      guard let number = SystemCallNumbers.number(rule.call, on: architecture) else { continue }
      byNumber[number, default: Decision()].add(rule)
    }
    return byNumber.map { number, decision in (number, block(decision, default: action)) }
  }

  /// One call: the strictest rule is tried first.
  private static func block(_ decision: Decision, default action: SeccompProfile.Action) -> [Instruction] {
    let always = decision.always ?? action
    if decision.conditional.isEmpty { return answer(always) }
    var block: [Instruction] = []
    for rule in decision.conditional.sorted(by: { $0.action < $1.action }) {
      if let weakest = decision.always, rule.action >= weakest { break }
      block += test(rule)
    }
    return block + answer(always)
  }

  /// All conditions of a rule, and its answer; past that when one does not hold.
  private static func test(_ rule: SeccompProfile.Rule) -> [Instruction] {
    var test = answer(rule.action)
    for condition in rule.conditions.reversed() {
      let isInteger = IntegerArguments.contains(rule.call, condition.index)
      test = ConditionTest(condition, isInteger: isInteger).instructions(past: test.count) + test
    }
    return test
  }

  /// Numbers from one on, to the next range.
  private struct NumberRange {
    var first: UInt32
    var block: [Instruction]
  }

  /// All numbers there are: those with a decision, and what lies between.
  private static func ranges(
    _ decisions: [(number: UInt32, block: [Instruction])], between unknown: [NumberRange]
  ) -> [NumberRange] {
    var points: [UInt32: [Instruction]] = [:]
    for range in unknown { points[range.first] = range.block }
    for (number, block) in decisions {
      points[number] = block
    }
    for (number, _) in decisions where number < .max && points[number + 1] == nil {
      points[number + 1] = unknown.last { $0.first <= number + 1 }?.block
    }
    var ranges: [NumberRange] = []
    for (first, block) in points.sorted(by: { $0.key < $1.key }) where ranges.last?.block != block {
      ranges.append(NumberRange(first: first, block: block))
    }
    return ranges
  }

  /// A binary search: the kernel runs a filter for every number there is when it is installed, to learn which calls it need not
  /// ask about again. And it translates all of it each time: so nothing stands there twice where a jump can lead to it.
  private static func tree(_ ranges: ArraySlice<NumberRange>) -> [Instruction] {
    if let compact = CompactSearch(ranges.map { ($0.first, $0.block) }).instructions { return compact }
    // Too long for a jump of a comparison to lead out of: in two halves.
    let middle = ranges.startIndex + ranges.count / 2
    let below = tree(ranges[..<middle])
    return [.jump(.greaterOrEqual, ranges[middle].first, yes: 0, no: 1), .skip(below.count)] + below
      + tree(ranges[middle...])
  }
}
