import StrictJSON

extension DockerEngine {
  /// What creating a container gave.
  public struct CreatedContainer: Sendable, Equatable {
    /// Its id.
    public let id: ContainerID
    /// What the engine did otherwise than asked: `Your kernel does not support swap limit capabilities …`.
    public let warnings: [String]
  }

  /// When waiting for a container ends.
  public enum WaitCondition: String, Sendable {
    /// It does not run; at once when it does not run now.
    case notRunning = "not-running"
    /// It ends the next time; also before it was started.
    case nextExit = "next-exit"
    /// It was removed.
    case removed
  }

  /// Creates a container (`POST /containers/create`).
  ///
  /// When this throws after the request was sent, the container may exist all the same: look for it by a label that only
  /// this request carries.
  /// - Throws: status 404 when the engine lacks the image, 409 when the name is taken.
  public func createContainer(
    _ create: ContainerCreateRequest, name: String? = nil
  ) throws(DockerEngineError) -> CreatedContainer {
    let operation = "create container\(name.map { " \(excerpt($0.utf8, limit: 80))" } ?? "")"
    do throws(DockerEngineError) {
      if let name { _ = try EngineName.check(name, "container") }
      let version = try apiVersion()
      try create.check(for: version)
      let platform = create.platform.isEmpty ? nil : create.platform
      let request = try request(
        "POST", "/containers/create", query: [("name", name), ("platform", platform)], operation)
      return try perform(
        request.with(create.json(for: version)),
        decode: object { (fields) throws(DockerEngineError) in
          CreatedContainer(id: try fields.requiredContainerID("Id"), warnings: try fields.strings("Warnings"))
        })
    } catch {
      throw error.during(operation)
    }
  }

  /// Starts a container (`POST /containers/{id}/start`); false when it runs already.
  public func startContainer(_ id: ContainerID) throws(DockerEngineError) -> Bool {
    try changed(
      request(
        "POST", "/containers/\(id.text)/start", "start container \(id.short)",
        deadlines: configuration.deadlines.allowing(.seconds(60))))
  }

  /// Asks a container to end, and kills it after `timeout` seconds, for ever when negative, its own setting when nil
  /// (`POST /containers/{id}/stop`). Returns once it has ended; false when it did not run.
  public func stopContainer(_ id: ContainerID, timeout: Int64? = nil) throws(DockerEngineError) -> Bool {
    var deadlines = configuration.deadlines.allowing(.seconds(max(0, timeout ?? 10)))
    if let timeout, timeout < 0 { (deadlines.head, deadlines.whole) = (nil, nil) }
    return try changed(
      request(
        "POST", "/containers/\(id.text)/stop", query: [("t", timeout.map { String($0) })],
        "stop container \(id.short)", deadlines: deadlines))
  }

  /// Sends a signal to the first process of a container (`POST /containers/{id}/kill`).
  /// - Parameter signal: a name or number: `SIGTERM`, `9`.
  /// - Throws: status 409 when it does not run.
  public func killContainer(_ id: ContainerID, signal: String = "SIGKILL") throws(DockerEngineError) {
    try perform(
      request(
        "POST", "/containers/\(id.text)/kill", query: [("signal", signal)],
        "send \(excerpt(signal.utf8, limit: 16)) to container \(id.short)"))
  }

  /// Freezes every process of a container (`POST /containers/{id}/pause`).
  public func pauseContainer(_ id: ContainerID) throws(DockerEngineError) {
    try perform(request("POST", "/containers/\(id.text)/pause", "pause container \(id.short)"))
  }

  /// Lets a paused container go on (`POST /containers/{id}/unpause`).
  public func unpauseContainer(_ id: ContainerID) throws(DockerEngineError) {
    try perform(request("POST", "/containers/\(id.text)/unpause", "unpause container \(id.short)"))
  }

  /// Gives a container another name (`POST /containers/{id}/rename`).
  public func renameContainer(_ id: ContainerID, to name: String) throws(DockerEngineError) {
    let operation = "rename container \(id.short)"
    do throws(DockerEngineError) {
      try perform(
        request(
          "POST", "/containers/\(id.text)/rename", query: [("name", try EngineName.check(name, "container"))], operation
        ))
    } catch {
      throw error.during(operation)
    }
  }

  /// Removes a container (`DELETE /containers/{id}`).
  /// - Parameters:
  ///   - force: kills it first when it runs; otherwise that is status 409.
  ///   - volumes: removes its anonymous volumes too.
  public func removeContainer(_ id: ContainerID, force: Bool = false, volumes: Bool = false) throws(DockerEngineError) {
    try perform(
      request(
        "DELETE", "/containers/\(id.text)", query: [("force", force ? "1" : nil), ("v", volumes ? "1" : nil)],
        "remove container \(id.short)", deadlines: configuration.deadlines.allowing(.seconds(60))))
  }

  /// Everything about a container (`GET /containers/{id}/json`).
  /// - Parameter size: also counts what it wrote, which may take long.
  /// - Throws: status 404 when there is none.
  public func inspectContainer(_ id: ContainerID, size: Bool = false) throws(DockerEngineError) -> ContainerDetails {
    try perform(
      request(
        "GET", "/containers/\(id.text)/json", query: [("size", size ? "1" : nil)], "inspect container \(id.short)"),
      decode: object(ContainerDetails.init))
  }

  /// Everything about the container called `name`. A name is the engine's to give: look at labels before trusting it.
  public func inspectContainer(named name: String) throws(DockerEngineError) -> ContainerDetails {
    let operation = "inspect container \(excerpt(name.utf8, limit: 80))"
    do throws(DockerEngineError) {
      let name = try EngineName.check(name, "container")
      return try perform(
        request("GET", "/containers/\(name)/json", operation), decode: object(ContainerDetails.init))
    } catch {
      throw error.during(operation)
    }
  }

  /// Containers that meet every filter, such as `["label": ["owner=me"]]` (`GET /containers/json`).
  /// - Parameter all: also those that do not run.
  public func listContainers(
    all: Bool = true, filters: EngineFilters = [:]
  ) throws(DockerEngineError) -> [ContainerSummary] {
    try perform(
      request(
        "GET", "/containers/json", query: [("all", all ? "1" : nil), ("filters", encoded(filters))], "list containers"),
      decode: list(ContainerSummary.init))
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
      "wait for container \(id.short)", deadlines: .streaming)
    request.deadlines.connect = configuration.deadlines.connect
    request.deadlines.head = configuration.deadlines.head
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

  /// Sends a request that the engine answers with 304 when there was nothing to change.
  func changed(_ request: HTTPRequest) throws(DockerEngineError) -> Bool {
    try perform(request, accepting: [304]) { (head, _) in head.status != 304 }
  }
}
