import StrictJSON

extension DockerEngine {
  /// What pruning removed.
  public struct Pruned: Sendable, Equatable {
    /// Ids of containers, names of volumes and networks.
    public let removed: [String]
    /// Bytes that are free again; 0 for networks.
    public let reclaimedBytes: Int64
  }

  /// What a container uses now (`GET /containers/{id}/stats`). Before API 1.41 the engine takes two seconds for it.
  public func containerStats(_ id: ContainerID) throws(DockerEngineError) -> ContainerStats { try perform(stats(id)) }

  /// Starts asking for what a container uses, as `containerStats` does.
  public func beginStats(_ id: ContainerID) throws(DockerEngineError) -> PendingReply<ContainerStats> {
    try begin(stats(id))
  }

  private func stats(_ id: ContainerID) throws(DockerEngineError) -> EngineOperation<ContainerStats> {
    let single = try apiVersion() >= APIVersion(1, 41) ? "1" : nil
    return EngineOperation(
      request: try request(
        "GET", "/containers/\(id.text)/stats", query: [("stream", "0"), ("one-shot", single)],
        "read the usage of container \(id.short)"),
      decode: object(ContainerStats.init))
  }

  /// Changes limits of a container (`POST /containers/{id}/update`); what is nil stays as it is. Returns warnings.
  public func updateContainer(
    _ id: ContainerID, _ resources: ContainerResources, restartPolicy: RestartPolicy? = nil
  ) throws(DockerEngineError) -> [String] {
    try perform(
      request("POST", "/containers/\(id.text)/update", "change the limits of container \(id.short)").with(
        JSON(object: resources.members + [("RestartPolicy", restartPolicy?.json)])),
      decode: object { (fields) throws(DockerEngineError) in try fields.strings("Warnings") })
  }

  /// Removes every container that does not run and meets the filters (`POST /containers/prune`). Without a filter that
  /// is everybody's: give a label.
  public func pruneContainers(filters: EngineFilters) throws(DockerEngineError) -> Pruned {
    try prune("containers", "ContainersDeleted", filters)
  }

  /// Removes every unused volume that meets the filters (`POST /volumes/prune`).
  public func pruneVolumes(filters: EngineFilters) throws(DockerEngineError) -> Pruned {
    try prune("volumes", "VolumesDeleted", filters)
  }

  /// Removes every unused network that meets the filters (`POST /networks/prune`).
  public func pruneNetworks(filters: EngineFilters) throws(DockerEngineError) -> Pruned {
    try prune("networks", "NetworksDeleted", filters)
  }

  private func prune(_ what: String, _ key: String, _ filters: EngineFilters) throws(DockerEngineError) -> Pruned {
    try perform(
      request(
        "POST", "/\(what)/prune", query: [("filters", encoded(filters))], "remove unused \(what)",
        deadlines: configuration.deadlines.allowing(.seconds(300))),
      decode: object { (fields) throws(DockerEngineError) in
        Pruned(removed: try fields.strings(key), reclaimedBytes: try fields.integer("SpaceReclaimed") ?? 0)
      })
  }
}
