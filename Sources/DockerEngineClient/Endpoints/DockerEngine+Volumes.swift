extension DockerEngine {
  /// Volumes that meet every filter (`GET /volumes`).
  public func listVolumes(filters: EngineFilters = [:]) throws(DockerEngineError) -> [Volume] {
    try perform(
      request("GET", "/volumes", query: [("filters", encoded(filters))], "list volumes"),
      decode: object { (fields) throws(DockerEngineError) in
        var volumes: [Volume] = []
        for volume in try fields.objects("Volumes") { volumes.append(try Volume(volume)) }
        return volumes
      })
  }

  /// The volume called `name` (`GET /volumes/{name}`).
  public func inspectVolume(_ name: String) throws(DockerEngineError) -> Volume {
    let operation = "inspect volume \(excerpt(name.utf8, limit: 80))"
    do throws(DockerEngineError) {
      return try perform(
        request("GET", "/volumes/\(EngineName.check(name, "volume"))", operation), decode: object(Volume.init))
    } catch {
      throw error.during(operation)
    }
  }

  /// Makes a volume (`POST /volumes/create`); one that exists already is returned as it is.
  public func createVolume(_ spec: VolumeSpec) throws(DockerEngineError) -> Volume {
    let operation = "create volume \(excerpt(spec.name.utf8, limit: 80))"
    do throws(DockerEngineError) {
      if !spec.name.isEmpty { _ = try EngineName.check(spec.name, "volume") }
      return try perform(
        request("POST", "/volumes/create", operation).with(spec.json), decode: object(Volume.init))
    } catch {
      throw error.during(operation)
    }
  }

  /// Removes a volume (`DELETE /volumes/{name}`).
  /// - Parameter force: one that is not there is no error.
  /// - Throws: status 409 when it is in use.
  public func removeVolume(_ name: String, force: Bool = false) throws(DockerEngineError) {
    let operation = "remove volume \(excerpt(name.utf8, limit: 80))"
    do throws(DockerEngineError) {
      try perform(
        request(
          "DELETE", "/volumes/\(EngineName.check(name, "volume"))", query: [("force", force ? "1" : nil)], operation))
    } catch {
      throw error.during(operation)
    }
  }
}
