import Glibc
import LaunchModel
import LinuxKernel

/// A child that waits to be let go: forked, restricted, and blocked on a pipe. Nothing of the user's has run in it.
struct HeldChild {
  let pid: Int32
  /// Writing one byte lets the child go; closing it makes the child end.
  let go: SharedDescriptor
  /// Closed by a successful exec; otherwise carries the reason (`StartFailure`).
  let failure: SharedDescriptor
}

/// Forks the processes of the task.
struct ProcessStarter {
  let restrictions: Restrictions
  /// `tasks` files of the cgroups v1 that every process joins.
  let cgroupTasks: [SharedDescriptor]
  /// The cgroup2 directory that every process is born in.
  let cgroup: SharedDescriptor?
  /// Whether all of these are to be the roots of what a process sees.
  var entersCgroupNamespace = false
  /// Init's own, where the task may change it.
  var score: OutOfMemoryScore?

  /// The numbers that a child's descriptors have, and nothing else is open in it.
  private enum Number {
    static let output: Int32 = 1
    static let errors: Int32 = 2
    static let go: Int32 = 3
    static let failure: Int32 = 4
  }

  /// Forks a child for `spec` that holds before it executes anything.
  func fork(_ spec: ProcessSpec, output: SharedDescriptor, errors: SharedDescriptor) throws(Errno) -> HeldChild {
    // A child has what init has.
    score?.restore()
    let go = try makePipe()
    let failure = try makePipe()
    // The child uses their numbers: the objects must not be released before it is done.
    defer { withExtendedLifetime((go, failure, output, errors)) {} }
    let pid = try Children.fork(into: cgroup?.rawValue)
    if pid == 0 {
      runChild(
        spec, output: output.rawValue, errors: errors.rawValue, go: go.first.rawValue, failure: failure.second.rawValue)
    }
    try failure.first.descriptor.setNonBlocking(true)
    return HeldChild(pid: pid, go: go.second, failure: failure.first)
  }

  /// The child's whole life before the command: let go of what is init's, restrict, wait, execute.
  private func runChild(_ spec: ProcessSpec, output: Int32, errors: Int32, go: Int32, failure: Int32) -> Never {
    do throws(StartFailure) {
      try leaveInit(output: output, errors: errors, go: go, failure: failure)
    } catch {
      ProcessStarter.giveUp(error, failure)
    }
    do throws(StartFailure) {
      try prepare(spec)
      // What is left to do the default profile lets through, so that its filter is there by the time the child may go. What
      // another one refuses is needed until then.
      let isEarly = restrictions.filter?.isDefault == true
      if restrictions.noNewPrivileges, isEarly { try installFilter() }
      guard Child.waitForByte(Number.go) else { Child.exit(0) }
      if restrictions.noNewPrivileges, !isEarly { try installFilter() }
      try execute(spec)
      Child.exit(127)
    } catch {
      ProcessStarter.giveUp(error, Number.failure)
    }
  }

  private static func giveUp(_ failure: StartFailure, _ pipe: Int32) -> Never {
    // It goes through a pipe in one write, which holds 4096 bytes.
    func short(_ text: String) -> String { String(decoding: Array(text.utf8.prefix(1500)), as: UTF8.self) }
    let report = StartFailure(failure.kind, short(failure.reason), hint: failure.hint.map(short))
    Child.report(report.encoded, to: pipe)
    Child.exit(127)
  }

  private func stage(_ what: String, _ body: () throws(Errno) -> Void) throws(StartFailure) {
    do throws(Errno) {
      try body()
    } catch {
      throw StartFailure(.setup, "cannot \(what): \(error)")
    }
  }

  /// Joins the cgroups, while root may write to their files, and closes everything that init has open but for two streams
  /// and two pipes. From here on names of the task's are looked up, in PATH, as an interpreter or as a working directory:
  /// `/proc/self/fd/N` must lead nowhere (CVE-2024-21626), and closing at exec would come too late for that.
  private func leaveInit(output: Int32, errors: Int32, go: Int32, failure: Int32) throws(StartFailure) {
    for file in cgroupTasks {
      try stage("join a cgroup") { () throws(Errno) in try Child.join(tasksFile: file.descriptor) }
    }
    // Not that of init, which is in other cgroups: with `nsdelegate` only who is above both may have a child here.
    if entersCgroupNamespace {
      try stage("enter a cgroup namespace") { () throws(Errno) in try Child.enterCgroupNamespace() }
    }
    try stage("close the descriptors of container-init") { () throws(Errno) in
      try Child.keepOnly([output, errors, go, failure], first: Number.output, lastKept: Number.errors)
    }
  }

  /// The order matters. Limits before the uid changes, for only root may raise them. The filter while CAP_SYS_ADMIN is held.
  /// The bounding set while CAP_SETPCAP is held. Groups before the user, for afterwards the right to set them is gone.
  /// `no_new_privs` after all of that: it never goes away.
  private func prepare(_ spec: ProcessSpec) throws(StartFailure) {
    let identity = restrictions.identity
    // The container's own, not the one that init was born with.
    try stage("open /dev/null as standard input") { () throws(Errno) in try Child.openNullInput() }
    try stage("start a session") { () throws(Errno) in try Child.startSession() }
    try stage("leave the session keyring") { () throws(Errno) in try Child.leaveKeyring() }
    for limit in restrictions.limits {
      try stage("set resource limit \(limit.resource) to \(limit.soft):\(limit.hard)") { () throws(Errno) in
        try ProcessLimits.set(limit.resource, soft: limit.soft, hard: limit.hard)
      }
    }
    if restrictions.keepsProjects {
      try stage("refuse changes of project ids") { () throws(Errno) in try SystemCallFilter.keepProjects() }
    }
    // Whoever may still gain privileges may install a filter only with CAP_SYS_ADMIN.
    if !restrictions.noNewPrivileges { try installFilter() }
    let bounding = restrictions.boundingCapabilities
    if let bounding {
      try stage("limit the capabilities") { () throws(Errno) in
        try Credentials.limitBoundingSet(to: Capabilities(rawValue: bounding))
      }
    }
    if restrictions.changesUser {
      try stage("become \(identity.name) (\(identity.uid):\(identity.gid))") { () throws(Errno) in
        try Credentials.setGroups(identity.supplementaryGroups)
        try Credentials.become(uid: identity.uid, gid: identity.gid)
        // Whoever changes its user is dumpable again where `fs.suid_dumpable` says so, and then others of that user may look
        // into it. Until this is said they may not: it still has more capabilities than they.
        try Credentials.setDumpable(false)
      }
    }
    try stage("set the capabilities") { () throws(Errno) in
      if identity.uid != 0 {
        try Credentials.setCapabilities([])
      } else if let effective = restrictions.effectiveCapabilities ?? bounding {
        try Credentials.setCapabilities(Capabilities(rawValue: effective))
      }
    }
    if restrictions.noNewPrivileges {
      try stage("set no_new_privs") { () throws(Errno) in try Credentials.setNoNewPrivileges() }
    }
    Child.setFileCreationMask(0o022)
    try enterWorkingDirectory(spec)
    try stage("reset signals") { () throws(Errno) in try Child.resetSignals() }
  }

  private func installFilter() throws(StartFailure) {
    if restrictions.keepsCgroupNamespace {
      try stage("refuse cgroup namespaces") { () throws(Errno) in try SystemCallFilter.keepCgroupNamespace() }
    }
    if restrictions.pinsNoFiles {
      try stage("refuse Landlock") { () throws(Errno) in try SystemCallFilter.refuseLandlock() }
    }
    guard let filter = restrictions.filter else { return }
    try stage("filter system calls by the seccomp profile \(filter.profile)") { () throws(Errno) in
      try SystemCallFilter.install(filter.program)
    }
  }

  private func enterWorkingDirectory(_ spec: ProcessSpec) throws(StartFailure) {
    let directory = spec.workingDirectory
    do throws(Errno) {
      try Child.enter(directory)
    } catch {
      throw StartFailure(
        .workingDirectory, "cannot enter the working directory \(directory): \(error)",
        hint: "it must exist in the container and be open to \(restrictions.identity.name)")
    }
  }

  private func execute(_ spec: ProcessSpec) throws(StartFailure) {
    switch spec.command {
    case .shell(let line):
      let profile = ShellProfile(spec.environment)
      var failures: [(path: String, error: Errno)] = []
      for shell in ["/bin/bash", "/bin/sh"] {
        let (arguments, environment) = profile.apply(to: line, shell: shell, spec.environment)
        let error = Child.execute(shell, arguments, assignments(environment))
        if error.code == E2BIG {
          throw StartFailure(
            .argumentsTooLong,
            "the command line of \(line.utf8.count) bytes and its environment are too long (E2BIG)",
            hint: "the kernel takes at most 131072 bytes for one argument; put the script into a file")
        }
        failures.append((shell, error))
      }
      let diagnoses = failures.map { ExecutionDiagnosis.of($0.path, $0.error) }
      // One that is there and is of no use says more than that none is.
      let telling: [StartFailure.Kind] = [.wrongArchitecture, .missingInterpreter]
      throw StartFailure(
        diagnoses.map(\.kind).first(where: telling.contains) ?? .noShell,
        "no shell can be started: \(diagnoses.map(\.reason).joined(separator: "; "))",
        hint: "command lines need /bin/bash or /bin/sh in the image; an image without a shell can run its own command")
    case .program(let arguments):
      guard let name = arguments.first, !name.isEmpty else {
        throw StartFailure(.other, "there is no command to start")
      }
      if name.utf8.contains(UInt8(ascii: "/")) {
        let error = Child.execute(name, arguments, assignments(spec.environment))
        throw cannotStart(name, error)
      }
      try search(name, arguments, spec.environment)
    }
  }

  private func cannotStart(_ path: String, _ error: Errno) -> StartFailure {
    let diagnosis = ExecutionDiagnosis.of(path, error)
    return StartFailure(diagnosis.kind, "cannot start " + diagnosis.reason)
  }

  private func assignments(_ variables: [EnvironmentVariable]) -> [String] {
    variables.map { "\($0.name)=\($0.value)" }
  }

  private func search(_ name: String, _ arguments: [String], _ variables: [EnvironmentVariable])
    throws(StartFailure)
  {
    let path = variables.last { $0.name == "PATH" }?.value ?? "/usr/local/bin:/usr/bin:/bin"
    var found: StartFailure?
    for directory in path.utf8.split(separator: UInt8(ascii: ":")).map({ String(decoding: $0, as: UTF8.self) }) {
      let candidate = "\(directory)/\(name)"
      let error = Child.execute(candidate, arguments, assignments(variables))
      if error.code == ENOENT, (try? status(of: candidate, followLinks: true)) == nil { continue }
      if error.code == ENOTDIR { continue }
      found = found ?? cannotStart(candidate, error)
    }
    throw found ?? StartFailure(.commandNotFound, "cannot start \(name): not found", hint: "PATH searched: \(path)")
  }
}
