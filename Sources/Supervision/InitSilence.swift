import LinuxKernel

/// Whether container-init still answers when it is to kill everything: one that is stopped, or has work without end, must
/// not keep a task from ending.
final class InitSilence {
  /// What is to be done about an init that has said nothing.
  enum Consequence {
    case none
    /// What it was to kill is killed over its head.
    case killForIt
    /// It has been silent for so many seconds, although nothing is left for it to do.
    case giveUp(seconds: UInt64)
  }

  /// Nanoseconds of silence until what init was to kill is killed over its head, and until it is given up.
  struct Timeouts {
    var first: UInt64 = 1_000_000_000
    var longest: UInt64 = 10_000_000_000
  }

  private let timer: TimerDescriptor
  /// How long it will have been silent when the timer fires; nil while nothing is asked.
  private var expected: UInt64?

  private let timeouts: Timeouts

  init(_ timeouts: Timeouts = Timeouts()) throws(Errno) {
    self.timeouts = timeouts
    timer = try TimerDescriptor()
  }

  /// Readable when an answer is overdue.
  var descriptor: Int32 { timer.descriptor.rawValue }

  /// From now on an answer is expected.
  func begin() throws(Errno) {
    expected = timeouts.first
    try timer.set(Clock.now + timeouts.first)
  }

  /// It has answered.
  func end() {
    guard expected != nil else { return }
    expected = nil
    bestEffort("stop the timer of container-init's answer") { try timer.set(nil) }
  }

  /// Called when the timer has fired.
  func overdue() throws(Errno) -> Consequence {
    timer.acknowledge()
    guard let expected else { return .none }
    guard expected == timeouts.first else {
      self.expected = nil
      return .giveUp(seconds: expected / 1_000_000_000)
    }
    self.expected = timeouts.longest
    try timer.set(Clock.now + timeouts.longest - timeouts.first)
    return .killForIt
  }
}
