import StrictJSON

extension DockerEngine {
  /// Networks that meet every filter (`GET /networks`).
  public func listNetworks(filters: EngineFilters = [:]) throws(DockerEngineError) -> [EngineNetwork] {
    try perform(
      request("GET", "/networks", query: [("filters", encoded(filters))], "list networks"),
      decode: list(EngineNetwork.init))
  }

  /// The network with this name or id (`GET /networks/{id}`).
  public func inspectNetwork(_ name: String) throws(DockerEngineError) -> EngineNetwork {
    let operation = "inspect network \(excerpt(name.utf8, limit: 80))"
    do throws(DockerEngineError) {
      return try perform(
        request("GET", "/networks/\(EngineName.check(name, "network"))", operation),
        decode: object(EngineNetwork.init))
    } catch {
      throw error.during(operation)
    }
  }

  /// Makes a network and returns its id (`POST /networks/create`).
  public func createNetwork(_ spec: NetworkSpec) throws(DockerEngineError) -> String {
    let operation = "create network \(excerpt(spec.name.utf8, limit: 80))"
    do throws(DockerEngineError) {
      _ = try EngineName.check(spec.name, "network")
      return try perform(
        request("POST", "/networks/create", operation).with(spec.json),
        decode: object { (fields) throws(DockerEngineError) in try fields.requiredContainerID("Id").text })
    } catch {
      throw error.during(operation)
    }
  }

  /// Removes the network with this name or id (`DELETE /networks/{id}`).
  public func removeNetwork(_ name: String) throws(DockerEngineError) {
    let operation = "remove network \(excerpt(name.utf8, limit: 80))"
    do throws(DockerEngineError) {
      try perform(request("DELETE", "/networks/\(EngineName.check(name, "network"))", operation))
    } catch {
      throw error.during(operation)
    }
  }

  /// Attaches a container to a further network (`POST /networks/{id}/connect`).
  public func connectContainer(
    _ id: ContainerID, to network: String, _ settings: EndpointSettings = EndpointSettings()
  ) throws(DockerEngineError) {
    let operation = "connect container \(id.short) to network \(excerpt(network.utf8, limit: 80))"
    do throws(DockerEngineError) {
      try perform(
        request("POST", "/networks/\(EngineName.check(network, "network"))/connect", operation).with(
          JSON(object: [("Container", JSON(id.text)), ("EndpointConfig", settings.json)])))
    } catch {
      throw error.during(operation)
    }
  }

  /// Takes a container off a network (`POST /networks/{id}/disconnect`).
  public func disconnectContainer(
    _ id: ContainerID, from network: String, force: Bool = false
  ) throws(DockerEngineError) {
    let operation = "disconnect container \(id.short) from network \(excerpt(network.utf8, limit: 80))"
    do throws(DockerEngineError) {
      try perform(
        request("POST", "/networks/\(EngineName.check(network, "network"))/disconnect", operation).with(
          JSON(object: [("Container", JSON(id.text)), ("Force", JSON(force))])))
    } catch {
      throw error.during(operation)
    }
  }
}
