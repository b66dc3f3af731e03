/// How long a request may take, part by part; `nil` is for ever.
public struct Deadlines: Sendable, Equatable {
  /// Until the engine's socket accepts the connection.
  public var connect: Duration = .seconds(5)
  /// Without progress while the request is sent, and then until the head of the response.
  public var head: Duration? = .seconds(60)
  /// Between two pieces of the body.
  public var idle: Duration? = .seconds(60)
  /// From the start of the request to the end of the response; what a peer that sends one byte a second runs into.
  public var whole: Duration? = .seconds(120)

  /// The limits that are documented above.
  public init() {}

  /// These limits with `extra` more time for the engine's own work before it answers.
  func allowing(_ extra: Duration) -> Deadlines {
    var deadlines = self
    deadlines.head = head.map { $0 + extra }
    deadlines.whole = whole.map { $0 + extra }
    return deadlines
  }
}
