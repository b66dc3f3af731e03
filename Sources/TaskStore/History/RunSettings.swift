import LinuxKernel
import OperatorPolicy
import StrictJSON

/// What the command line says about a run, besides the document: kept in the journal, so that an executor that takes
/// over goes on with the same.
package struct RunSettings: Equatable {
  package var role: String
  package var instance: Int64?
  package var hostname: String
  /// `--port`; what `auto` stands for was chosen once, before the task began.
  package var ports: [String: Int] = [:]
  /// `--bind KEY=VALUE`, in the order given.
  package var bindings: [[String]] = []
  package var isolation: [String]
  package var sandboxMountPoint = "/mnt/mesos/sandbox"
  package var createsUser = true
  package var maxRuns = 100
  /// What the logs of all runs may take; with a limit of disk never more than half of that.
  package var logBytes = LogCeiling.standard
  /// Whether the container stays, ended, when the task has ended.
  package var keepsContainer = false
  /// The engine's socket, when it is not where engines are by default.
  package var dockerSocket: String?
  /// Where registry credentials are, when not in the usual place.
  package var dockerConfig: String?
  /// `all`, `none` or names: which Docker parameters a task may have.
  package var allowedDockerParameters = "all"
  /// The policy that gave leave, and what it made of the task; `nil` without one.
  package var policy: PolicyLeave?

  package var json: JSON {
    JSON(object: [
      ("role", JSON(role)), ("instance", instance.map { JSON($0) }), ("hostname", JSON(hostname)),
      ("ports", JSON(object: ports.sorted { $0.key < $1.key }.map { ($0.key, JSON($0.value)) })),
      ("bindings", JSON(bindings.map { JSON($0.map { JSON($0) }) })), ("isolation", JSON(isolation.map { JSON($0) })),
      ("sandbox_mount_point", JSON(sandboxMountPoint)), ("create_user", JSON(createsUser)), ("max_runs", JSON(maxRuns)),
      ("log_bytes", JSON(logBytes)), ("keep", keepsContainer ? JSON(true) : nil),
      ("docker_socket", dockerSocket.map { JSON($0) }), ("docker_config", dockerConfig.map { JSON($0) }),
      ("allow_docker_parameters", JSON(allowedDockerParameters)), ("policy", policy?.json),
    ])
  }

  package init(role: String, hostname: String, isolation: [String]) {
    self.role = role
    self.hostname = hostname
    self.isolation = isolation
  }

  package init?(json: JSON) {
    guard let role = json["role"]?.string, let hostname = json["hostname"]?.string,
      let isolation = json["isolation"]?.array
    else { return nil }
    self.init(role: role, hostname: hostname, isolation: isolation.compactMap(\.string))
    instance = json["instance"]?.integer
    for member in json["ports"]?.members ?? [] { ports[member.key] = Int(clamping: member.value.integer ?? 0) }
    bindings = (json["bindings"]?.array ?? []).map { ($0.array ?? []).compactMap(\.string) }.filter { $0.count == 2 }
    sandboxMountPoint = json["sandbox_mount_point"]?.string ?? sandboxMountPoint
    createsUser = json["create_user"]?.bool ?? true
    maxRuns = Int(clamping: json["max_runs"]?.integer ?? 100)
    logBytes = json["log_bytes"]?.integer.map { UInt64(clamping: $0) } ?? logBytes
    keepsContainer = json["keep"]?.bool ?? false
    dockerSocket = json["docker_socket"]?.string
    dockerConfig = json["docker_config"]?.string
    allowedDockerParameters = json["allow_docker_parameters"]?.string ?? allowedDockerParameters
    if let leave = json["policy"] {
      // What was judged is what goes on, or nothing does.
      guard let leave = PolicyLeave(json: leave) else { return nil }
      policy = leave
    }
  }
}
