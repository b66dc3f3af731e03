import LaunchModel
import LinuxKernel

/// One way in which a container is set apart or held to a limit.
///
/// `prepare` says what the launch shall do, as a value that can be printed and compared. Every other part has a do-nothing default. Isolators do not know each other and start no processes.
package protocol Isolator: Sendable {
  /// As `--isolation` names it, `cgroups/mem`.
  static var name: String { get }

  init(host: HostFacts)

  /// What the host lacks for this isolator; `nil` when it can work here. Asked once, before `prepare`.
  func unsupported() -> String?

  /// Whether a container may go without it where `unsupported` says that it cannot be had: it protects nothing but the task,
  /// which has not asked for it. All others refuse the launch.
  func isDispensable(for container: ContainerConfig) -> Bool

  /// What the launch plan shall contain. Changes nothing: the launcher and init act on the merged plan.
  func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment

  /// What the container has used so far, as far as this isolator can see it.
  func usage(_ containerID: String) -> ContainerUsage

  /// How many of its processes the kernel has killed for want of memory, where this isolator counts them: asked at every end.
  func outOfMemoryKills(_ containerID: String) -> UInt64?

  /// Removes what the launch made for this isolator. Tolerates a container it never saw.
  func cleanup(_ containerID: String) throws(IsolationError)
}

extension Isolator {
  package func unsupported() -> String? { nil }
  package func isDispensable(for container: ContainerConfig) -> Bool { false }
  package func usage(_ containerID: String) -> ContainerUsage { ContainerUsage() }
  package func outOfMemoryKills(_ containerID: String) -> UInt64? { nil }
  package func cleanup(_ containerID: String) throws(IsolationError) {}
  package var name: String { Self.name }
}

/// An isolator that could not do its work.
package struct IsolationError: Error, Sendable, CustomStringConvertible {
  package let isolator: String
  package let message: String
  package let hint: String?
  /// The host, or the list of isolators, lacks what the task needs: not a fault of the task's.
  package let isUnavailable: Bool
  package var description: String { "isolator \(isolator): \(message)" }

  package init(_ isolator: String, _ message: String, hint: String? = nil, isUnavailable: Bool = false) {
    self.isolator = isolator
    self.message = message
    self.hint = hint
    self.isUnavailable = isUnavailable
  }

  package init(_ isolator: String, _ what: String, _ error: Errno, hint: String? = nil) {
    self.init(isolator, "\(what): \(error.explanation)", hint: hint)
  }
}

/// What isolators need to know of the host, gathered once.
package struct HostFacts: Sendable, Equatable {
  package var cgroups: CgroupHierarchies
  package var isRoot: Bool
  /// Name of our cgroup below each hierarchy's root; the containers' cgroups are below that.
  package var cgroupParent = "aurora-executor"

  package init(cgroups: CgroupHierarchies, isRoot: Bool) {
    self.cgroups = cgroups
    self.isRoot = isRoot
  }

  package static func discover() throws(Errno) -> HostFacts {
    HostFacts(cgroups: try CgroupHierarchies.discover(), isRoot: CurrentProcess.effectiveUser == 0)
  }
}
