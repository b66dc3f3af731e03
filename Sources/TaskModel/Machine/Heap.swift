/// A binary heap: the least element first.
package struct Heap<Element: Comparable & Sendable>: Sendable {
  private var items: [Element] = []

  package init() {}

  package var first: Element? { items.first }
  var isEmpty: Bool { items.isEmpty }
  var count: Int { items.count }

  package mutating func insert(_ element: Element) {
    items.append(element)
    var child = items.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard items[child] < items[parent] else { return }
      items.swapAt(child, parent)
      child = parent
    }
  }

  package mutating func removeFirst() -> Element? {
    guard let last = items.popLast() else { return nil }
    guard let least = items.first else { return last }
    items[0] = last
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < items.count && items[child] < items[smallest] {
        smallest = child
      }
      if smallest == parent { return least }
      items.swapAt(parent, smallest)
      parent = smallest
    }
  }

  mutating func removeAll() { items.removeAll() }
}

/// Something of a process that falls due at an instant.
struct Due: Comparable, Sendable {
  let at: UInt64
  let node: Int
  /// The run it belongs to; the entry is stale when the process is at another.
  let run: Int

  static func < (left: Due, right: Due) -> Bool { (left.at, left.node, left.run) < (right.at, right.node, right.run) }
}
