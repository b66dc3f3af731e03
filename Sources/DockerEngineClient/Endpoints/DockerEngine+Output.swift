extension DockerEngine {
  /// Which part of a container's log to read.
  public struct LogOptions: Sendable, Equatable {
    /// Descriptor 1.
    public var standardOutput = true
    /// Descriptor 2.
    public var standardError = true
    /// Go on with what comes, until the container ends.
    public var follow = false
    /// Each line starts with the time at which the engine got it, RFC 3339.
    public var timestamps = false
    /// The last so many lines; `nil` for all.
    public var tail: Int?
    /// Not before this instant, in nanoseconds since 1970.
    public var since: UInt64?
    /// Not after this instant, in nanoseconds since 1970.
    public var until: UInt64?
    /// Everything there is, and no more.
    public init() {}
  }

  /// What a container has written (`GET /containers/{id}/logs`). Needs a log driver that can be read.
  /// - Parameter tty: as the container was created; output of a terminal is told apart by nothing else.
  public func logs(
    of id: ContainerID, tty: Bool, _ options: LogOptions = LogOptions()
  ) throws(DockerEngineError) -> EngineStream<OutputPiece> {
    func flag(_ on: Bool) -> String? { on ? "1" : nil }
    return try stream(
      request(
        "GET", "/containers/\(id.text)/logs",
        query: [
          ("stdout", flag(options.standardOutput)), ("stderr", flag(options.standardError)),
          ("follow", flag(options.follow)), ("timestamps", flag(options.timestamps)),
          ("tail", options.tail.map { String(max(0, $0)) }), ("since", options.since.map(seconds)),
          ("until", options.until.map(seconds)),
        ],
        "read the log of container \(id.short)", deadlines: streaming(idle: options.follow ? nil : .seconds(60))),
      decode: outputDecoder(tty: tty))
  }

  /// Connects to the streams of a container's first process (`POST /containers/{id}/attach`).
  /// - Parameters:
  ///   - tty: as the container was created.
  ///   - input: also to its input, which it must have been created with.
  ///   - logs: first what it has written so far.
  public func attach(
    to id: ContainerID, tty: Bool, input: Bool = false, standardOutput: Bool = true, standardError: Bool = true,
    logs: Bool = false
  ) throws(DockerEngineError) -> AttachedStream {
    func flag(_ on: Bool) -> String? { on ? "1" : nil }
    var request = try request(
      "POST", "/containers/\(id.text)/attach",
      query: [
        ("stream", "1"), ("stdin", flag(input)), ("stdout", flag(standardOutput)), ("stderr", flag(standardError)),
        ("logs", flag(logs)),
      ],
      "attach to container \(id.short)", deadlines: streaming(idle: nil))
    request.upgrade = "tcp"
    return AttachedStream(
      try stream(request, decode: outputDecoder(tty: tty)), idle: configuration.deadlines.idle)
  }

  /// Tells the terminal of a container its size (`POST /containers/{id}/resize`).
  public func resizeContainer(_ id: ContainerID, rows: Int, columns: Int) throws(DockerEngineError) {
    try perform(
      request(
        "POST", "/containers/\(id.text)/resize", query: [("h", String(rows)), ("w", String(columns))],
        "resize the terminal of container \(id.short)"))
  }

  /// Limits for what lasts: connecting and the head as configured, then `idle`.
  func streaming(idle: Duration?) -> Deadlines {
    var deadlines = configuration.deadlines
    deadlines.idle = idle
    deadlines.whole = nil
    return deadlines
  }

  /// An instant as the engine takes it: seconds since 1970 with nine decimals.
  func seconds(_ nanoseconds: UInt64) -> String {
    let decimals = String(nanoseconds % 1_000_000_000)
    return "\(nanoseconds / 1_000_000_000).\(String(repeating: "0", count: 9 - decimals.utf8.count))\(decimals)"
  }
}
