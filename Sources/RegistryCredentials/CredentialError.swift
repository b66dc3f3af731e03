import LinuxKernel

/// Why the credentials of a registry cannot be had. It never holds one.
public struct CredentialError: Error, Sendable, CustomStringConvertible {
  /// The classes of failure.
  public enum Kind: Sendable, Equatable {
    /// The file cannot be read, or is not as it should be.
    case file
    /// A helper is not there, fails, or answers with something else.
    case helper
    /// A helper took longer than it may, in seconds.
    case timeout(seconds: Double)
    /// The caller's `interrupt` ended the wait for a helper.
    case interrupted
  }

  /// The class of this failure.
  public let kind: Kind
  /// What was to be done.
  public let operation: String
  /// The file or the helper.
  public let place: String
  /// What went wrong there.
  public let detail: String
  /// The error number of the call that failed, for failures of the system.
  public let errorNumber: Int32?

  init(_ kind: Kind, operation: String, place: String, detail: String, errorNumber: Int32? = nil) {
    self.kind = kind
    self.operation = operation
    self.place = place
    self.detail = detail
    self.errorNumber = errorNumber
  }

  /// The whole story on one line.
  public var description: String { "\(operation): \(place): \(detail)" }
}

/// At most `limit` bytes of text from outside, made safe to show.
func excerpt(_ bytes: some Collection<UInt8>, limit: Int = 256) -> String {
  let shown = printable(bytes.prefix(limit))
  return bytes.count > limit ? "\(shown)… (\(bytes.count) bytes)" : shown
}
