/// Something that happened to an object of the engine.
public struct EngineEvent: Sendable, Equatable {
  /// `container`, `image`, `network`, `volume`, `daemon`, …
  public let type: String
  /// `create`, `start`, `die`, `oom`, `destroy`, … For some with more behind a colon: `health_status: healthy`.
  public let action: String
  /// The object's id, or its name for volumes and images.
  public let actor: String
  /// The object's labels, and what belongs to the action: `exitCode`, `signal`, `image`, `name`.
  public let attributes: [String: String]
  /// Nanoseconds since 1970.
  public let time: Int64

  init(_ fields: JSONFields) throws(DockerEngineError) {
    type = try fields.requiredString("Type")
    action = try fields.requiredString("Action")
    let actor = try fields.object("Actor")
    self.actor = try actor?.string("ID") ?? ""
    attributes = try actor?.stringMap("Attributes") ?? [:]
    time = try fields.integer("timeNano") ?? 0
  }
}
