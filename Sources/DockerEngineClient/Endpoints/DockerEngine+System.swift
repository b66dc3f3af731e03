extension DockerEngine {
  /// Asks whether the engine is there, and for its newest API version (`GET /_ping`). There is nothing that an engine has
  /// to look up for it: one that has not answered within ten seconds is hung.
  public func ping() throws(DockerEngineError) -> EnginePing {
    var deadlines = configuration.deadlines
    deadlines.head = min(deadlines.head ?? .seconds(10), .seconds(10))
    return try perform(
      unversioned("GET", "/_ping", "ping the engine", deadlines: deadlines), bodyLimit: 64 << 10
    ) {
      (head, _) throws(DockerEngineError) in
      guard let text = head.value(of: "api-version"), let version = APIVersion(text) else {
        throw .decoding("the answer has no valid Api-Version field; is this a Docker engine?")
      }
      return EnginePing(
        apiVersion: version, osType: head.value(of: "ostype").map { excerpt($0, limit: 32) },
        experimental: head.value(of: "docker-experimental").map { $0.elementsEqual("true".utf8) } ?? false)
    }
  }

  /// The versions of the engine and its API (`GET /version`).
  public func version() throws(DockerEngineError) -> EngineVersion {
    try perform(
      unversioned("GET", "/version", "ask for the engine's version"), decode: object(EngineVersion.init))
  }

  /// What the engine says of itself and its host (`GET /info`).
  public func info() throws(DockerEngineError) -> EngineInfo {
    try perform(
      request("GET", "/info", "ask for the engine's information"), decode: object(EngineInfo.init))
  }
}
