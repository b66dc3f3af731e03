import OperatorPolicy

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
  /// When a native task's image is fetched from its registry: `missing`, `always`, `never`.
  package var pull = "missing"
  /// Where AppC images are looked for that the store lacks: a directory, and what the URLs of others begin with.
  package var appcStore: String?
  package var appcDiscoveryPrefix: String?
  /// The registry that is asked in place of Docker Hub.
  package var dockerRegistry: String?
  /// Registries with which plain HTTP may be spoken.
  package var plainHTTP: [String] = []
  /// The certificate authorities that registries are believed by, when not the host's.
  package var certificates: String?
  /// `all`, `none` or names: which Docker parameters a task may have.
  package var allowedDockerParameters = "all"
  /// The policy that gave leave, and what it made of the task; `nil` without one.
  package var policy: PolicyLeave?

  package init(role: String, hostname: String, isolation: [String]) {
    self.role = role
    self.hostname = hostname
    self.isolation = isolation
  }
}
