import DockerContainerizer
import DockerEngineClient
import LaunchModel
import OperatorPolicy
import TaskModel
import TaskStore

/// What a Docker task asks of its host. Judged is what the engine would be asked for, after all spellings of an option have
/// become fields of a request, so that no spelling can say something that is not seen.
struct DockerDemands {
  let task: TaskSpecification
  let container: DockerContainer
  let identity: Identity
  let settings: RunSettings

  /// In the order of the document.
  func all() -> [Demand] {
    let request = whole()
    let reach = RequestDemands.Reach(
      groups: [identity.gid] + identity.supplementaryGroups,
      sharesHostNetwork: !["bridge", "none"].contains(request?.hostConfig.networkMode ?? "host"))
    var demands: [Demand] = []
    for (index, parameter) in container.parameters.enumerated() { demands += of(parameter, index, reach) }
    if container.privileged {
      demands.append(Demand(.privilege(.container), Demand.Origin(.container, .key("privileged"))))
    }
    if !container.portMappings.isEmpty {
      demands.append(Demand(.dockerParameter("publish"), Demand.Origin(.container, .key("port_mappings"))))
    }
    return demands + together(request, reach, beside: demands)
  }

  /// The request of the document as a whole; `nil` for one that cannot be made, by a run no more than here.
  private func whole() -> ContainerCreateRequest? {
    var settings = settings
    settings.allowedDockerParameters = "all"
    return (try? DockerRequest(task, container, identity, settings))?.create
  }

  /// What the parameters come to together, where one of them alone did not show it.
  private func together(_ request: ContainerCreateRequest?, _ reach: RequestDemands.Reach, beside known: [Demand])
    -> [Demand]
  {
    guard let request else { return [] }
    let kinds = RequestDemands(request, reach).kinds
    return kinds.filter { kind in !known.contains { $0.kind == kind } }
      .map { Demand($0, Demand.Origin(.container), goesToEngine: true) }
  }

  private func of(_ parameter: DockerContainer.Parameter, _ index: Int, _ reach: RequestDemands.Reach)
    -> [Demand]
  {
    let origin = Demand.Origin(.container, .key("parameters"), .index(index))
    let name = DockerRunOptions.canonicalName(parameter.name) ?? parameter.name
    if let reason = DockerParameters.refusal(of: name, parameter.value) {
      return [Demand(.impossible(name, reason: reason), origin)]
    }
    let named = Demand(.dockerParameter(name), origin)
    guard case .judged = DockerParameterReach.of(name) else { return [named] }
    var kinds = DockerDemands.amounts(name, parameter.value) + DockerDemands.profile(name, parameter.value)
    var alone = ContainerCreateRequest(image: container.image)
    let options: [(name: String, value: String)] = [(parameter.name, parameter.value)]
    do throws(DockerRunOptionError) {
      try DockerRunOptions.apply(parameters: options, to: &alone)
      kinds += RequestDemands(alone, reach).kinds
    } catch {
      // Named alone it cannot be applied, and no more can it with others.
    }
    return [named] + kinds.map { Demand($0, origin, goesToEngine: true) }
  }

  /// A seccomp profile in a file: the engine takes its text, which the executor would have to read.
  private static func profile(_ name: String, _ value: String) -> [Demand.Kind] {
    guard name == "security-opt" else { return [] }
    for prefix in ["seccomp=", "seccomp:"] where value.utf8.starts(with: prefix.utf8) {
      let profile = String(decoding: value.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
      if ["default", "unconfined"].contains(profile) { return [] }
      return [.impossible("security-opt \(value)", reason: DockerParameters.fileReason)]
    }
    return []
  }

  /// Options that ask for so much of something. A number that cannot be read is refused by the option itself.
  private static func amounts(_ name: String, _ value: String) -> [Demand.Kind] {
    var alone = ContainerCreateRequest(image: "-")
    let options: [(name: String, value: String)] = [(name, value)]
    guard (try? DockerRunOptions.apply(parameters: options, to: &alone)) != nil else { return [] }
    switch name {
    case "pids-limit":
      let limit = alone.hostConfig.resources.pidsLimit ?? 0
      return [.amount(.pids, limit > 0 ? limit : nil)]
    case "shm-size":
      // The engine takes 0 for its own default.
      return alone.hostConfig.shmSize.flatMap { $0 == 0 ? nil : [.amount(.shm, $0)] } ?? []
    default: return []
    }
  }
}
