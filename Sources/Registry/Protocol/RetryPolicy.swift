import HTTP1

/// How often something is asked for again, and after which pauses. A value, so that tests need no clock.
package struct RetryPolicy: Sendable {
  /// Attempts in a row that bring nothing.
  package var attempts = 5
  /// The pause after the first; each next one is twice as long.
  package var firstPauseMilliseconds: UInt64 = 500
  package var longestPauseMilliseconds: UInt64 = 10_000
  /// A registry that asks for a longer pause than this is one that cannot serve now.
  package var longestRetryAfterSeconds: UInt64 = 60

  package init() {}

  /// The pause after `failures` attempts in a row that brought nothing; `nil` when it is enough.
  func pause(after failures: Int, _ error: RegistryError) -> UInt64? {
    guard error.mayPass, failures < attempts else { return nil }
    if let asked = error.retryAfter {
      return asked <= longestRetryAfterSeconds ? max(asked * 1000, firstPauseMilliseconds) : nil
    }
    return min(firstPauseMilliseconds << UInt64(min(max(failures - 1, 0), 20)), longestPauseMilliseconds)
  }

  /// The seconds of a `Retry-After` field; `nil` for a date, which would need a clock that both sides share.
  static func seconds(_ value: [UInt8]?) -> UInt64? {
    value.flatMap { ASCII.decimal(ASCII.trimmed($0[...])) }
  }
}
