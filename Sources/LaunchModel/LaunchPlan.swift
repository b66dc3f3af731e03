/// A resource limit for every process (setrlimit(2)), soft and hard; `UInt64.max` is unlimited.
package struct ResourceLimit: Sendable, Hashable, WireRecord {
  /// The kernel's number, `RLIMIT_NOFILE` and so on.
  package var resource: Int32
  package var soft: UInt64
  package var hard: UInt64

  /// RLIMIT_SIGPENDING.
  package static let pendingSignals: Int32 = 11

  package init(resource: Int32, soft: UInt64, hard: UInt64) {
    self.resource = resource
    self.soft = soft
    self.hard = hard
  }

  package static let blank = ResourceLimit(resource: 0, soft: 0, hard: 0)
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&resource)
    try pass.field(&soft)
    try pass.field(&hard)
  }
}

/// A filter of system calls (seccomp(2)), compiled, with what it was compiled from.
package struct CompiledFilter: Sendable, Hashable, WireRecord {
  /// `default`, `additional` beside an engine's own, or the path of the profile.
  package var profile: String
  /// SHA-256 of the profile's text, in hexadecimal.
  package var digest: String
  /// `struct sock_filter`, 8 bytes each.
  package var program: [UInt8]

  package init(profile: String, digest: String, program: [UInt8]) {
    self.profile = profile
    self.digest = digest
    self.program = program
  }

  package static let blank = CompiledFilter(profile: "", digest: "", program: [])
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&profile)
    try pass.field(&digest)
    try pass.field(&program)
  }

  package static let defaultProfile = "default"
  package static let additionalProfile = "additional"
  package var isDefault: Bool { profile.utf8.elementsEqual(CompiledFilter.defaultProfile.utf8) }
  package var instructionCount: Int { program.count / 8 }
}

/// What every process of the task is held to.
package struct Restrictions: Sendable, Hashable, WireRecord {
  package var identity: Identity
  /// Capabilities that may ever be had (bit n is number n); nil leaves the bounding set alone.
  package var boundingCapabilities: UInt64?
  /// Capabilities a process of uid 0 starts with; nil means the bounding set.
  package var effectiveCapabilities: UInt64?
  package var noNewPrivileges = false
  package var limits: [ResourceLimit] = []
  /// Init runs as root and becomes the role; without root it is the role already and has no right to change anything.
  package var changesUser = true
  /// No process may change the project ids of files: they are what a quota of its disk is counted by.
  package var keepsProjects = false
  /// No process may make a cgroup namespace: in one of its own, root mounts the cgroups that it is in, and lifts its limits.
  package var keepsCgroupNamespace = false
  /// Init and all processes connect to no abstract UNIX socket of somebody outside the container.
  package var scopesSockets = false
  /// nil: every system call is let through.
  package var filter: CompiledFilter?
  /// No process may hold files by rules of Landlock: where its disk is measured nobody would find them.
  package var pinsNoFiles = false

  package init(identity: Identity) { self.identity = identity }

  package static let blank = Restrictions(identity: Identity.blank)
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&identity)
    try pass.field(&boundingCapabilities)
    try pass.field(&effectiveCapabilities)
    try pass.field(&noNewPrivileges)
    try pass.field(&limits)
    try pass.field(&changesUser)
    try pass.field(&keepsProjects)
    try pass.field(&keepsCgroupNamespace)
    try pass.field(&scopesSockets)
    try pass.field(&filter)
    try pass.field(later: &pinsNoFiles)
  }
}

/// Everything `container-init` needs to make a container and start processes in it: what the isolators' fragments
/// merge into. A value; printing it (`plan`) shows exactly what would be done.
package struct LaunchPlan: Sendable, Hashable, WireRecord {
  package var taskID: String
  /// The namespaces of the container, as clone(2) flags. Init is born into them; into one of cgroups each process goes by
  /// itself, when it is in the cgroups that are to be its root.
  package var namespaces: UInt64 = 0
  package var steps: [SetupStep] = []
  package var restrictions: Restrictions
  /// cgroups v1 that the launcher makes and every process joins. Init is not in them: a task at its limit cannot keep it
  /// from starting a finalizer.
  package var cgroups: [CgroupSetup] = []
  /// cgroups v1 around those, with init in them: limits of the whole container.
  package var initCgroups: [CgroupSetup] = []
  /// cgroups v1 that init joins when it is born, and every process with it.
  package var sharedCgroups: [CgroupSetup] = []
  /// The cgroup2 directory every process is born into.
  package var cgroupDirectory: String?
  /// cgroups v2 with controllers: the whole container's, and in it the task's, every process of which is born there.
  package var version2Cgroups: [CgroupSetup] = []
  /// Environment of every process, lowest in precedence.
  package var environment: [EnvironmentVariable] = []
  /// Working directory for the image's own command; nil is the sandbox.
  package var imageWorkingDirectory: String?
  /// The image's own command line, when it has one.
  package var imageCommand: [String] = []
  /// What asks that command to end, where the image says so.
  package var imageStopSignal: Int32?
  /// Where the sandbox is seen inside.
  package var sandbox: String
  /// Files of the host that the launcher copies, for the container to have its own.
  package var copies: [FileCopy] = []
  /// What is made below the sandbox, for the role, while the sandbox is still root's.
  package var sandboxEntries: [SandboxEntry] = []
  /// The isolators that have had their say.
  package var isolators: [String] = []
  /// Isolators that the task can do without and this host cannot give, and why.
  package var leftOut: [LeftOut] = []

  package init(taskID: String, identity: Identity, sandbox: String) {
    self.taskID = taskID
    restrictions = Restrictions(identity: identity)
    self.sandbox = sandbox
  }

  package static let blank = LaunchPlan(taskID: "", identity: Identity.blank, sandbox: "")
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&taskID)
    try pass.field(&namespaces)
    try pass.field(&steps)
    try pass.field(&restrictions)
    try pass.field(&cgroups)
    try pass.field(&initCgroups)
    try pass.field(&sharedCgroups)
    try pass.field(&cgroupDirectory)
    try pass.field(&environment)
    try pass.field(&imageWorkingDirectory)
    try pass.field(&imageCommand)
    try pass.field(&sandbox)
    try pass.field(&copies)
    try pass.field(&sandboxEntries)
    try pass.field(&isolators)
    try pass.field(&leftOut)
    try pass.field(later: &version2Cgroups)
    try pass.field(later: &imageStopSignal)
  }
}

/// One variable. A name holds no `=` and neither part a NUL: `isValid` says so.
package struct EnvironmentVariable: Sendable, Hashable, WireRecord {
  package var name: String
  package var value: String

  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }

  package var isValid: Bool {
    !name.isEmpty && !name.utf8.contains(UInt8(ascii: "=")) && !name.utf8.contains(0) && !value.utf8.contains(0)
  }

  package static let blank = EnvironmentVariable("", "")
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&name)
    try pass.field(&value)
  }
}

extension [EnvironmentVariable] {
  /// The list with each variable once; a later value replaces an earlier one in its place.
  package var merged: [EnvironmentVariable] {
    var result: [EnvironmentVariable] = []
    var places: [[UInt8]: Int] = [:]
    for variable in self {
      if let place = places[Array<UInt8>(variable.name.utf8)] {
        result[place] = variable
      } else {
        places[Array<UInt8>(variable.name.utf8)] = result.count
        result.append(variable)
      }
    }
    return result
  }
}
