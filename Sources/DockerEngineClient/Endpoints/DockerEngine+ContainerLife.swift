// Starting, stopping, waiting and removing. What starts with `begin` sends the request on a connection of its own and
// leaves the waiting to the caller's event loop.

extension DockerEngine {
  /// When waiting for a container ends.
  public enum WaitCondition: String, Sendable {
    /// It does not run; at once when it does not run now.
    case notRunning = "not-running"
    /// It ends the next time; also before it was started.
    case nextExit = "next-exit"
    /// It was removed.
    case removed
  }

  /// Starts a container (`POST /containers/{id}/start`); false when it runs already.
  public func startContainer(_ id: ContainerID) throws(DockerEngineError) -> Bool { try perform(start(id)) }

  /// Begins to start a container, as `startContainer` does.
  public func beginStart(_ id: ContainerID) throws(DockerEngineError) -> PendingReply<Bool> { try begin(start(id)) }

  private func start(_ id: ContainerID) throws(DockerEngineError) -> EngineOperation<Bool> {
    changing(
      try request(
        "POST", "/containers/\(id.text)/start", "start container \(id.short)",
        deadlines: configuration.deadlines.allowing(.seconds(60))))
  }

  /// Asks a container to end, and kills it after `timeout` seconds, for ever when negative, its own setting when nil
  /// (`POST /containers/{id}/stop`). Returns once it has ended; false when it did not run.
  public func stopContainer(_ id: ContainerID, timeout: Int64? = nil) throws(DockerEngineError) -> Bool {
    try perform(stop(id, timeout))
  }

  /// Begins to stop a container, as `stopContainer` does.
  public func beginStop(
    _ id: ContainerID, timeout: Int64? = nil
  ) throws(DockerEngineError) -> PendingReply<Bool> {
    try begin(stop(id, timeout))
  }

  private func stop(_ id: ContainerID, _ timeout: Int64?) throws(DockerEngineError) -> EngineOperation<Bool> {
    // Without a timeout the container's own setting holds, which only the engine knows.
    var deadlines = configuration.deadlines.allowing(.seconds(min(max(0, timeout ?? 0), 1_000_000)))
    if timeout ?? -1 < 0 { (deadlines.head, deadlines.whole) = (nil, nil) }
    return changing(
      try request(
        "POST", "/containers/\(id.text)/stop", query: [("t", timeout.map { String($0) })],
        "stop container \(id.short)", deadlines: deadlines))
  }

  /// Sends a signal to the first process of a container (`POST /containers/{id}/kill`).
  /// - Parameter signal: a name or number: `SIGTERM`, `9`.
  /// - Throws: status 409 when it does not run.
  public func killContainer(_ id: ContainerID, signal: String = "SIGKILL") throws(DockerEngineError) {
    try perform(kill(id, signal))
  }

  /// Begins to send a signal, as `killContainer` does.
  public func beginKill(
    _ id: ContainerID, signal: String = "SIGKILL"
  ) throws(DockerEngineError) -> PendingReply<Void> {
    try begin(kill(id, signal))
  }

  private func kill(_ id: ContainerID, _ signal: String) throws(DockerEngineError) -> EngineOperation<Void> {
    EngineOperation(
      request: try request(
        "POST", "/containers/\(id.text)/kill", query: [("signal", signal)],
        "send \(excerpt(signal.utf8, limit: 16)) to container \(id.short)")
    ) { _, _ in }
  }

  /// Freezes every process of a container (`POST /containers/{id}/pause`).
  public func pauseContainer(_ id: ContainerID) throws(DockerEngineError) {
    try perform(request("POST", "/containers/\(id.text)/pause", "pause container \(id.short)"))
  }

  /// Lets a paused container go on (`POST /containers/{id}/unpause`).
  public func unpauseContainer(_ id: ContainerID) throws(DockerEngineError) {
    try perform(request("POST", "/containers/\(id.text)/unpause", "unpause container \(id.short)"))
  }

  /// Removes a container (`DELETE /containers/{id}`).
  /// - Parameters:
  ///   - force: kills it first when it runs; otherwise that is status 409.
  ///   - volumes: removes its anonymous volumes too.
  public func removeContainer(_ id: ContainerID, force: Bool = false, volumes: Bool = false) throws(DockerEngineError) {
    try perform(removal(id, force, volumes))
  }

  /// Begins to remove a container, as `removeContainer` does.
  public func beginRemove(
    _ id: ContainerID, force: Bool = false, volumes: Bool = false
  ) throws(DockerEngineError) -> PendingReply<Void> {
    try begin(removal(id, force, volumes))
  }

  private func removal(
    _ id: ContainerID, _ force: Bool, _ volumes: Bool
  ) throws(DockerEngineError) -> EngineOperation<Void> {
    EngineOperation(
      request: try request(
        "DELETE", "/containers/\(id.text)", query: [("force", force ? "1" : nil), ("v", volumes ? "1" : nil)],
        "remove container \(id.short)", deadlines: configuration.deadlines.allowing(.seconds(60)))
    ) { _, _ in }
  }

  /// Starts waiting for a container to end (`POST /containers/{id}/wait`), on a connection of its own.
  ///
  /// The value is the exit status of its first process, 0 to 255. A reply that tells of an error, or of a status that
  /// no process has, is an error: that outcome is not known.
  public func beginWait(
    _ id: ContainerID, condition: WaitCondition = .notRunning
  ) throws(DockerEngineError) -> PendingReply<Int32> {
    var request = try request(
      "POST", "/containers/\(id.text)/wait", query: [("condition", condition.rawValue)],
      "wait for container \(id.short)", deadlines: streaming(idle: nil))
    request.freshConnection = true
    return try begin(
      request, bodyLimit: 64 << 10,
      decode: object { (fields) throws(DockerEngineError) in
        if fields.has("Error") {
          let message = excerpt((try fields.object("Error")?.string("Message") ?? "").utf8, limit: 2048)
          throw DockerEngineError(
            .engine, detail: "the engine could not wait: \(message.isEmpty ? "no reason given" : message)",
            engineMessage: message)
        }
        let status = try fields.requiredInteger("StatusCode")
        guard (0...255).contains(status) else {
          throw .decoding("StatusCode is \(status), which is no process' exit status")
        }
        return Int32(status)
      })
  }

  /// Waits for a container to end, for ever if need be.
  public func waitContainer(
    _ id: ContainerID, condition: WaitCondition = .notRunning
  ) throws(DockerEngineError) -> Int32 {
    try beginWait(id, condition: condition).finish()
  }

  /// An operation that the engine answers with 304 when there was nothing to change.
  private func changing(_ request: HTTPRequest) -> EngineOperation<Bool> {
    EngineOperation(request: request, accepting: [304]) { (head, _) in head.status != 304 }
  }
}
