import Synchronization

/// Something that was tried for the better, whose failure changes nothing of what follows.
package struct FailedAttempt: Sendable {
  /// What was tried, as in "cannot …", with the place.
  package let what: String
  package let error: any Error

  package init(_ what: String, _ error: any Error) {
    self.what = what
    self.error = error
  }

  /// Where it was the kernel that refused.
  package var errno: Errno? { error as? Errno }
}

/// Who hears of attempts that fail and of which nothing follows. Nobody, unless the program has said so at its start.
package enum FailedAttempts {
  private static let listener = Mutex<(@Sendable (FailedAttempt) -> Void)?>(nil)

  /// From now on `hear` is called for each, in place of whoever was before. It must not fail, and must not wait.
  package static func tell(_ hear: (@Sendable (FailedAttempt) -> Void)?) { listener.withLock { $0 = hear } }

  fileprivate static func note(_ what: () -> String, _ error: any Error) {
    // Called without the lock: what hears of one may try something itself.
    guard let hear = listener.withLock({ $0 }) else { return }
    hear(FailedAttempt(what(), error))
  }
}

/// Tries something that nothing depends on. What it throws is told to whoever listens to `FailedAttempts`, which is the
/// operator's log; words are made only then.
///
/// - Parameters:
///   - what: what is tried, as in "cannot …", with the place: "remove the control socket /run/…/init.sock".
///   - expected: error numbers that mean nothing here, as ENOENT when something is removed.
/// - Returns: what it made, `nil` where it failed.
@discardableResult
package func bestEffort<Value: ~Copyable>(
  _ what: @autoclosure () -> String, tolerating expected: Int32..., attempt: () throws -> Value
) -> Value? {
  do { return try attempt() } catch {
    if let errno = error as? Errno, expected.contains(errno.code) { return nil }
    FailedAttempts.note(what, error)
    return nil
  }
}
