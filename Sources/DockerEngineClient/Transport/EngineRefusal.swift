import HTTP1
import StrictJSON

/// A response whose status says no: its body is the engine's own explanation, never data.
enum EngineRefusal {
  /// More of an explanation than this is not read.
  static let bodyLimit = 64 << 10
  private static let shownLimit = 2048

  /// The error for a refusal. The body is `{"message": "…"}` where the engine wrote it, and anything at all where a
  /// proxy did; either way the status counts and the text is shown.
  static func error(_ head: HTTPResponseHead, _ body: [UInt8]) -> DockerEngineError {
    let reason = excerpt(head.reason, limit: 64)
    let message = message(in: body)
    return DockerEngineError(
      .http(status: head.status),
      detail: "\(head.status)\(reason.isEmpty ? "" : " \(reason)")\(message.isEmpty ? "" : ": \(message)")",
      engineMessage: message)
  }

  private static func message(in body: [UInt8]) -> String {
    if let json = try? JSON(parsing: body), let message = json["message"]?.string {
      return excerpt(message.utf8, limit: shownLimit)
    }
    var text = body[...]
    while let last = text.last, last == 0x0a || last == 0x0d || last == 0x20 { text = text.dropLast() }
    return excerpt(text, limit: shownLimit)
  }
}
