/// A binary search over ranges of numbers of which every answer stands once, at the end: a comparison jumps there at once.
struct CompactSearch {
  /// Where a search goes on.
  private enum Target {
    /// To the instruction so far after the comparison's own.
    case ahead(Int)
    /// To an answer.
    case answer(UInt32)
  }

  private enum Step {
    case plain(Instruction)
    case compare(UInt32, above: Target, below: Target)
  }

  private var answers: [UInt32] = []
  private let steps: [Step]
  private let entry: Target

  /// - Parameter ranges: where each begins, and what is done with a number in it.
  init(_ ranges: [(first: UInt32, block: [Instruction])]) {
    var answers: [UInt32] = []
    (steps, entry) = CompactSearch.search(ranges[...], &answers)
    self.answers = answers
  }

  /// `nil` when a jump would be too far, which is over 255 instructions.
  var instructions: [Instruction]? {
    if case .answer(let action) = entry { return [.answer(action)] }
    var result: [Instruction] = []
    for (place, step) in steps.enumerated() {
      switch step {
      case .plain(let instruction): result.append(instruction)
      case .compare(let first, let above, let below):
        guard let yes = distance(above, from: place), let no = distance(below, from: place) else { return nil }
        result.append(.jump(.greaterOrEqual, first, yes: yes, no: no))
      }
    }
    return result + answers.map { .answer($0) }
  }

  private func distance(_ target: Target, from place: Int) -> UInt8? {
    switch target {
    case .ahead(let count): UInt8(exactly: count)
    case .answer(let action):
      answers.firstIndex(of: action).flatMap { UInt8(exactly: steps.count + $0 - place - 1) }
    }
  }

  private static func search(
    _ ranges: ArraySlice<(first: UInt32, block: [Instruction])>, _ answers: inout [UInt32]
  ) -> ([Step], Target) {
    guard ranges.count > 1 else {
      let block = ranges.first?.block ?? []
      guard block.count == 1, case .answer(let action) = block[0] else { return (block.map { .plain($0) }, .ahead(0)) }
      if !answers.contains(action) { answers.append(action) }
      return ([], .answer(action))
    }
    let middle = ranges.startIndex + ranges.count / 2
    let (below, belowEntry) = search(ranges[..<middle], &answers)
    let (above, aboveEntry) = search(ranges[middle...], &answers)
    var target = aboveEntry
    if case .ahead(let count) = aboveEntry { target = .ahead(below.count + count) }
    return ([.compare(ranges[middle].first, above: target, below: belowEntry)] + below + above, .ahead(0))
  }
}
