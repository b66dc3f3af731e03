/// The directories that a walk has yet to enter, deepest first. Of each only the last name is held: whole paths of many deep
/// directories take a hundred times as much as their names.
struct WaitingDirectories {
  private struct Siblings {
    let parent: [UInt8]
    /// In the opposite of the order that they come in.
    var names: [[UInt8]]
  }

  /// Begins with the root, whose path is empty.
  private var waiting = [Siblings(parent: [], names: [[]])]

  /// Puts directories that are in `parent` before all others, in their order.
  mutating func enter(_ names: [[UInt8]], of parent: [UInt8]) {
    if !names.isEmpty { waiting.append(Siblings(parent: parent, names: names.reversed())) }
  }

  /// The path of the next one.
  mutating func next() -> [UInt8]? {
    guard let last = waiting.indices.last, let name = waiting[last].names.popLast() else { return nil }
    let parent = waiting[last].parent
    if waiting[last].names.isEmpty { waiting.removeLast() }
    return MergedTree.join(parent, name)
  }
}
