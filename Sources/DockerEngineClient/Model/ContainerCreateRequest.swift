import StrictJSON

/// Everything that `POST /containers/create` takes.
public struct ContainerCreateRequest: Sendable, Equatable {
  /// What runs.
  public var spec: ContainerSpec
  /// How it is connected to the host.
  public var hostConfig = HostConfig()
  /// Networks by name. Before API 1.44 an engine takes one at most; connect the others afterwards.
  public var networks: [String: EndpointSettings] = [:]
  /// `os[/architecture[/variant]]` that the image must have; empty for any.
  public var platform = ""

  /// A container of `image`, everything else by default.
  public init(image: String) { spec = ContainerSpec(image: image) }

  /// The body of the request to an engine that speaks `version`.
  package func json(for version: APIVersion) -> JSON {
    var members = spec.members
    var networks = networks
    if !spec.macAddress.isEmpty {
      // The field moved from the container to its endpoint; engines ignore it where they do not look for it.
      if version < APIVersion(1, 44) {
        members.append(("MacAddress", JSON(spec.macAddress)))
      } else {
        let name = hostConfig.networkMode.isEmpty ? "default" : hostConfig.networkMode
        var endpoint = networks[name] ?? EndpointSettings()
        if endpoint.macAddress.isEmpty { endpoint.macAddress = spec.macAddress }
        networks[name] = endpoint
      }
    }
    members.append(("HostConfig", hostConfig.json))
    if !networks.isEmpty {
      members.append(("NetworkingConfig", JSON(object: [("EndpointsConfig", .map(networks) { $0.json })])))
    }
    return JSON(object: members)
  }

  /// What `version` does not have. An engine leaves out silently what it does not know, and a container that lacks a
  /// setting that was asked for is worse than none.
  func check(for version: APIVersion) throws(DockerEngineError) {
    func needs(_ minor: Int, _ field: String, _ used: Bool) throws(DockerEngineError) {
      if used, version < APIVersion(1, minor) {
        throw .invalid("\(field) needs API 1.\(minor), but the engine is spoken to in \(version)")
      }
    }
    let mounts = hostConfig.mounts
    try needs(41, "a platform", !platform.isEmpty)
    try needs(41, "a cgroup namespace mode", !hostConfig.cgroupNamespaceMode.isEmpty)
    try needs(42, "making a bind's source", mounts.contains { $0.createSource })
    try needs(42, "a cluster mount", mounts.contains { $0.kind == .cluster })
    try needs(43, "an annotation", !hostConfig.annotations.isEmpty)
    try needs(
      44, "a read-only mode of submounts", mounts.contains { $0.readOnlyNonRecursive || $0.readOnlyForceRecursive })
    try needs(44, "a health check's start interval", spec.healthcheck?.startInterval != nil)
    try needs(44, "a MAC address of an endpoint", networks.values.contains { !$0.macAddress.isEmpty })
    try needs(44, "more than one network", networks.count > 1)
    try needs(45, "a path inside a volume", mounts.contains { $0.kind == .volume && !$0.subpath.isEmpty })
    try needs(48, "an image mount", mounts.contains { $0.kind == .image })
    try needs(48, "a gateway priority", networks.values.contains { $0.gatewayPriority != nil })
  }
}
