import LaunchModel
import LinuxKernel

/// What one isolator contributes to the launch. How fragments merge is said at each field.
package struct PlanFragment: Sendable, Equatable {
  /// Union.
  package var namespaces: Namespaces = []
  /// At most one isolator.
  package var root: SetupStep?
  /// Appended in the isolators' order; done in the new root before it takes the old one's place.
  package var mounts: [SetupStep] = []
  /// Appended: what of the host is mounted in the new root, ordered by the places when that is done.
  package var binds: [BindMount] = []
  /// Appended; done when the root has changed.
  package var afterPivot: [SetupStep] = []
  /// At most one isolator.
  package var hostname: String?
  /// Appended, one directory once: cgroups v1 that every process joins, that init has for itself, and that both are in.
  package var cgroups: [CgroupSetup] = []
  package var initCgroups: [CgroupSetup] = []
  package var sharedCgroups: [CgroupSetup] = []
  /// Appended, one directory once: cgroups v2 with controllers.
  package var version2Cgroups: [CgroupSetup] = []
  /// Appended: files of the host that the launcher copies.
  package var copies: [FileCopy] = []
  /// Appended: what to make below the sandbox.
  package var sandboxEntries: [SandboxEntry] = []
  /// Appended; a later value of the same name wins.
  package var environment: [EnvironmentVariable] = []
  /// At most one isolator.
  package var limits: [ResourceLimit]?
  package var boundingCapabilities: Capabilities?
  package var effectiveCapabilities: Capabilities?
  package var noNewPrivileges: Bool?
  /// Any isolator.
  package var keepsProjects = false
  package var pinsNoFiles = false
  package var keepsCgroupNamespace = false
  package var scopesSockets = false
  /// At most one isolator.
  package var filter: CompiledFilter?
  package var imageWorkingDirectory: String?
  package var imageCommand: [String]?
  package var imageStopSignal: Int32?

  package init() {}

  mutating func addCgroups(_ other: PlanFragment) {
    cgroups += other.cgroups
    initCgroups += other.initCgroups
    sharedCgroups += other.sharedCgroups
    version2Cgroups += other.version2Cgroups
  }
}

extension LaunchPlan {
  /// The plan that the fragments make together, in the isolators' order.
  ///
  /// The order of the steps has its reasons: the root first; new file systems, then what of the host is mounted in them; the
  /// pivot; the account when no link can lead out any more; read-only and masked paths last, for the steps before
  /// them write there.
  package init(merging fragments: [(isolator: String, fragment: PlanFragment)], container: ContainerConfig)
    throws(IsolationError)
  {
    self.init(taskID: container.id, identity: container.identity, sandbox: container.sandbox)
    var owners: [String: String] = [:]
    func claim(_ field: String, _ isolator: String) throws(IsolationError) {
      if let other = owners[field] { throw IsolationError(isolator, "\(field) is set by the isolator \(other) too") }
      owners[field] = isolator
    }
    var root: SetupStep?
    var mounts: [SetupStep] = []
    var binds: [BindMount] = []
    var afterPivot: [SetupStep] = []
    var hostname: String?
    var spaces: Namespaces = []
    for (isolator, fragment) in fragments {
      spaces.formUnion(fragment.namespaces)
      mounts += fragment.mounts
      afterPivot += fragment.afterPivot
      environment += fragment.environment
      binds += fragment.binds
      cgroups += fragment.cgroups
      initCgroups += fragment.initCgroups
      sharedCgroups += fragment.sharedCgroups
      version2Cgroups += fragment.version2Cgroups
      copies += fragment.copies
      sandboxEntries += fragment.sandboxEntries
      if let value = fragment.root {
        try claim("root", isolator)
        root = value
      }
      if let value = fragment.hostname {
        try claim("hostname", isolator)
        hostname = value
      }
      if let value = fragment.limits {
        try claim("rlimits", isolator)
        restrictions.limits = value
      }
      if let value = fragment.boundingCapabilities {
        try claim("bounding capabilities", isolator)
        restrictions.boundingCapabilities = value.rawValue
      }
      if let value = fragment.effectiveCapabilities {
        try claim("effective capabilities", isolator)
        restrictions.effectiveCapabilities = value.rawValue
      }
      if let value = fragment.noNewPrivileges {
        try claim("no_new_privs", isolator)
        restrictions.noNewPrivileges = value
      }
      if fragment.keepsProjects { restrictions.keepsProjects = true }
      if fragment.pinsNoFiles { restrictions.pinsNoFiles = true }
      if fragment.keepsCgroupNamespace { restrictions.keepsCgroupNamespace = true }
      if fragment.scopesSockets { restrictions.scopesSockets = true }
      if let value = fragment.filter {
        try claim("system call filter", isolator)
        restrictions.filter = value
      }
      if let value = fragment.imageWorkingDirectory {
        try claim("working directory", isolator)
        imageWorkingDirectory = value
      }
      if let value = fragment.imageCommand {
        try claim("image command", isolator)
        imageCommand = value
      }
      if let value = fragment.imageStopSignal {
        try claim("stop signal", isolator)
        imageStopSignal = value
      }
    }
    environment = environment.merged
    (cgroups, initCgroups, sharedCgroups) = (cgroups.merged, initCgroups.merged, sharedCgroups.merged)
    version2Cgroups = version2Cgroups.merged
    isolators = fragments.map(\.isolator)
    if let root {
      steps = [root] + mounts + (binds.isEmpty ? [] : [.binds(binds)])
      if root.isImageRoot {
        steps.append(.pivot)
        if container.createsUser { steps.append(.account(container.identity)) }
      }
      steps += afterPivot
    }
    if let hostname {
      spaces.insert(.uts)
      steps.append(.hostname(hostname))
    }
    namespaces = spaces.rawValue
  }
}
