import StrictJSON

// Creating, finding and naming containers. What lasts, or may, has a form that starts with `begin`: it sends the request
// on a connection of its own and leaves the waiting to the caller's event loop.

extension DockerEngine {
  /// What creating a container gave.
  public struct CreatedContainer: Sendable, Equatable {
    /// Its id.
    public let id: ContainerID
    /// What the engine did otherwise than asked: `Your kernel does not support swap limit capabilities …`.
    public let warnings: [String]
  }

  /// Creates a container (`POST /containers/create`).
  ///
  /// When this throws after the request was sent, the container may exist all the same: look for it by a label that
  /// only this request carries.
  /// - Throws: status 404 when the engine lacks the image, 409 when the name is taken.
  public func createContainer(
    _ create: ContainerCreateRequest, name: String? = nil
  ) throws(DockerEngineError) -> CreatedContainer {
    try perform(creation(create, name))
  }

  /// Starts creating a container, as `createContainer` does.
  public func beginCreate(
    _ create: ContainerCreateRequest, name: String? = nil
  ) throws(DockerEngineError) -> PendingReply<CreatedContainer> {
    try begin(creation(create, name))
  }

  private func creation(
    _ create: ContainerCreateRequest, _ name: String?
  ) throws(DockerEngineError) -> EngineOperation<CreatedContainer> {
    let operation = "create container\(name.map { " \(excerpt($0.utf8, limit: 80))" } ?? "")"
    do throws(DockerEngineError) {
      if let name { _ = try EngineName.check(name, "container") }
      let version = try apiVersion()
      try create.check(for: version)
      let platform = create.platform.isEmpty ? nil : create.platform
      let request = try request(
        "POST", "/containers/create", query: [("name", name), ("platform", platform)], operation)
      return EngineOperation(
        request: try request.with(create.json(for: version)),
        decode: object { (fields) throws(DockerEngineError) in
          CreatedContainer(id: try fields.requiredContainerID("Id"), warnings: try fields.strings("Warnings"))
        })
    } catch {
      throw error.during(operation)
    }
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

  /// Everything about a container (`GET /containers/{id}/json`).
  /// - Parameter size: also counts what it wrote, which may take long.
  /// - Throws: status 404 when there is none.
  public func inspectContainer(_ id: ContainerID, size: Bool = false) throws(DockerEngineError) -> ContainerDetails {
    try perform(inspection(id, size))
  }

  /// Starts asking for everything about a container, as `inspectContainer` does.
  public func beginInspect(
    _ id: ContainerID, size: Bool = false
  ) throws(DockerEngineError) -> PendingReply<ContainerDetails> {
    try begin(inspection(id, size))
  }

  private func inspection(_ id: ContainerID, _ size: Bool) throws(DockerEngineError) -> EngineOperation<
    ContainerDetails
  > {
    EngineOperation(
      request: try request(
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
    try perform(listing(all, filters))
  }

  /// Starts listing containers, as `listContainers` does.
  public func beginList(
    all: Bool = true, filters: EngineFilters = [:]
  ) throws(DockerEngineError) -> PendingReply<[ContainerSummary]> {
    try begin(listing(all, filters))
  }

  private func listing(
    _ all: Bool, _ filters: EngineFilters
  ) throws(DockerEngineError) -> EngineOperation<[ContainerSummary]> {
    EngineOperation(
      request: try request(
        "GET", "/containers/json", query: [("all", all ? "1" : nil), ("filters", encoded(filters))], "list containers"),
      decode: list(ContainerSummary.init))
  }
}
