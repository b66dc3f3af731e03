/// One message of a pull or a load.
public struct EngineProgress: Sendable, Equatable {
  /// What it is about, a layer's short id; empty for the whole.
  public let id: String
  /// `Downloading`, `Pull complete`, `Digest: sha256:…`; for a load, the text it prints.
  public let status: String
  /// Bytes done; `nil` when not counted.
  public let current: Int64?
  /// Bytes in all; `nil` when not known.
  public let total: Int64?

  /// Reads one line. A line that tells of an error is the failure of the whole, although the status was 200.
  static func read(_ fields: JSONFields) throws(DockerEngineError) -> EngineProgress {
    let told = try fields.string("error")
    let detail = try fields.object("errorDetail")
    if told != nil || detail != nil {
      let message = excerpt((try detail?.string("message") ?? told ?? "an error without a text").utf8, limit: 2048)
      throw DockerEngineError(.engine, detail: message, engineMessage: message)
    }
    let counts = try fields.object("progressDetail")
    // A pull tells its status, a load prints its text.
    let (status, text) = (try fields.string("status"), try fields.string("stream"))
    return EngineProgress(
      id: try fields.string("id") ?? "", status: status ?? text ?? "",
      current: try counts?.integer("current"), total: try counts?.integer("total"))
  }
}
