import LinuxKernel

/// What a piece of work that is under way waits for, in an event loop of the caller's.
///
/// Register `descriptor` for `interest`, and call `advance()` of the work when it is ready or `deadline` has passed.
/// The descriptor of one piece of work never changes; it is -1 once the work has ended.
public struct Readiness: OptionSet, Sendable {
  /// The bits of the set.
  public let rawValue: UInt8
  /// Makes a set of bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  /// Something to read, or the end.
  public static let read = Readiness(rawValue: 1)
  /// Room to write.
  public static let write = Readiness(rawValue: 2)
}

/// Waits until the descriptor is ready, the deadline (`Clock.now`, nanoseconds) has come, or something can be read from
/// `interrupt`.
func wait(
  for descriptor: Int32, _ interest: Readiness, until deadline: UInt64?, interrupt: Int32? = nil
) throws(Errno) {
  var milliseconds: Int32?
  if let deadline {
    let now = Clock.now
    if deadline <= now { return }
    // Rounded up, so that the deadline has passed when poll(2) says that time is up.
    milliseconds = Int32(min((deadline - now + 999_999) / 1_000_000, 1_000_000_000))
  }
  _ = try waitUntilReady(
    descriptor, read: interest.contains(.read), write: interest.contains(.write), timeoutMilliseconds: milliseconds,
    interrupt: interrupt)
}
