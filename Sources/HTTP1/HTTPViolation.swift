/// A response that is not HTTP/1.1 as RFC 9112 has it, or that two readers could understand in two ways.
public enum HTTPViolation: Error, Sendable, Equatable, CustomStringConvertible {
  /// The bytes break a rule; the text says which.
  case malformed(String)
  /// The connection ended before the response did; the text says where.
  case truncated(String)

  /// The rule that was broken, or where the end came.
  public var description: String {
    switch self {
    case .malformed(let rule): rule
    case .truncated(let place): "the connection ended \(place)"
    }
  }
}
