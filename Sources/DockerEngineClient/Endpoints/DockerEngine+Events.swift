extension DockerEngine {
  /// What happens from now on, or has happened since an instant (`GET /events`).
  ///
  /// An engine forgets all but the last 256 events, and all of them when it restarts: events tell when to look, not
  /// what is true.
  /// - Parameters:
  ///   - since: nanoseconds since 1970; `nil` for now.
  ///   - until: nanoseconds since 1970; `nil` for ever.
  ///   - filters: such as `["type": ["container"], "label": ["owner=me"]]`.
  public func events(
    since: UInt64? = nil, until: UInt64? = nil, filters: EngineFilters = [:]
  ) throws(DockerEngineError) -> EngineStream<EngineEvent> {
    return try stream(
      request(
        "GET", "/events",
        query: [("since", since.map(seconds)), ("until", until.map(seconds)), ("filters", encoded(filters))],
        "watch events", deadlines: streaming(idle: nil)),
      decode: JSONLineReader.decoder(EngineEvent.init))
  }
}
