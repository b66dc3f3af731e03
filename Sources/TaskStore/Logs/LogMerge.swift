/// The lines of several logs in the order of their time. Those of one log stay in its order, whatever their times say.
package final class LogMerge {
  package private(set) var logs: [ProcessLog] = []
  private var heads: [LogLine?] = []
  /// The log that gives lines now, and the time until which it is the earliest.
  private var current: (index: Int, until: UInt64)?
  private var given = 0

  /// After so many lines the logs that had none are looked at again: what is shown takes time, and others write on.
  private static let timeout = 1024

  package init() {}

  package func add(_ log: ProcessLog) {
    logs.append(log)
    heads.append(nil)
  }

  /// The next line of all that are there now.
  package func next() -> (log: ProcessLog, line: LogLine)? {
    if given % Self.timeout == 0 { refill() }
    if !isEarliest { choose() }
    if current == nil {
      refill()
      choose()
    }
    guard let index = current?.index, let line = heads[index] else {
      given = 0
      return nil
    }
    given += 1
    heads[index] = logs[index].next()
    return (logs[index], line)
  }

  /// Leaves out the next `count` lines.
  package func skip(_ count: Int) {
    var left = count
    while left > 0 || (left == 0 && current.map { heads[$0.index]?.startsLine == false } == true) {
      guard let (_, line) = next() else { return }
      if line.startsLine { left -= 1 }
    }
  }

  /// Gives back what was read ahead.
  package func putBack() {
    for index in logs.indices {
      if let line = heads[index] { logs[index].putBack(line) }
      heads[index] = nil
    }
    (current, given) = (nil, 0)
  }

  /// Whether the log of the last line still has the earliest one. A line that was begun is not broken off.
  private var isEarliest: Bool {
    guard let current, let head = heads[current.index] else { return false }
    return !head.startsLine || head.time <= current.until
  }

  private func refill() {
    for index in logs.indices where heads[index] == nil { heads[index] = logs[index].next() }
    current = nil
  }

  private func choose() {
    current = nil
    var earliest = UInt64.max
    for index in logs.indices {
      guard let time = heads[index]?.time else { continue }
      if current == nil || time < earliest {
        current = (index, current == nil ? .max : earliest)
        earliest = time
      } else if let until = current?.until, time < until {
        current?.until = time
      }
    }
  }
}
