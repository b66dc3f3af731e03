/// One container of a list.
public struct ContainerSummary: Sendable, Equatable {
  /// Its id.
  public let id: ContainerID
  /// Its names, each with a leading `/`.
  public let names: [String]
  /// The image as it was named.
  public let image: String
  /// The image's id.
  public let imageID: String
  /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
  public let state: String
  /// For people: `Up 3 minutes`.
  public let status: String
  /// Seconds since 1970.
  public let created: Int64
  /// Its labels.
  public let labels: [String: String]

  init(_ fields: JSONFields) throws(DockerEngineError) {
    id = try fields.requiredContainerID("Id")
    names = try fields.strings("Names")
    image = try fields.string("Image") ?? ""
    imageID = try fields.string("ImageID") ?? ""
    state = try fields.string("State") ?? ""
    status = try fields.string("Status") ?? ""
    created = try fields.integer("Created") ?? 0
    labels = try fields.stringMap("Labels")
  }
}
