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

  private let timer: TimerDescriptor
  /// How long it will have been silent when the timer fires; nil while nothing is asked.
  private var expected: UInt64?

  private static let patience: UInt64 = 1_000_000_000
  private static let longest: UInt64 = 10_000_000_000

  init() throws(Errno) { timer = try TimerDescriptor() }

  /// Readable when an answer is overdue.
  var descriptor: Int32 { timer.descriptor.rawValue }

  /// From now on an answer is expected.
  func begin() throws(Errno) {
    expected = Self.patience
    try timer.set(Clock.now + Self.patience)
  }

  /// It has answered.
  func end() {
    guard expected != nil else { return }
    expected = nil
    try? timer.set(nil)
  }

  /// Called when the timer has fired.
  func overdue() throws(Errno) -> Consequence {
    timer.acknowledge()
    guard let expected else { return .none }
    guard expected == Self.patience else {
      self.expected = nil
      return .giveUp(seconds: expected / 1_000_000_000)
    }
    self.expected = Self.longest
    try timer.set(Clock.now + Self.longest - Self.patience)
    return .killForIt
  }
}
