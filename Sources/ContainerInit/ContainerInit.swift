import LaunchModel
import LinuxKernel

/// Pid 1 of a container: makes the container from its plan, then serves the executor.
///
/// Started by exec in a fresh, single-threaded process, so that ordinary Swift may run between fork and exec here.
package enum ContainerInit {
  /// The hidden command that starts it.
  package static let command = "__init"
  /// The hidden command that starts it where the container stands already, with the path of a `Handover` after it.
  package static let handoverCommand = "__init-handover"

  /// The descriptors it is born with.
  package enum Descriptors {
    package static let null: Int32 = 0
    package static let log: Int32 = 1
    package static let plan: Int32 = 3
    package static let listener: Int32 = 4
    package static let exits: Int32 = 5
    /// `tasks` files of cgroups v1 in the plan's order, then the cgroup2 directory if the plan has one, then the sources of
    /// the plan's bind mounts as detached mounts, then whatever shall stay open as long as the container lives. None of
    /// them leads to a directory of the host above itself.
    package static let first: Int32 = 6
  }

  package static func main() -> Never {
    do {
      try prepare()
      try keepLimits()
      let plan = try readPlan()
      try Credentials.identifyForAudit(plan.restrictions.identity.uid)
      let listener = SharedDescriptor(FileDescriptor(owning: Descriptors.listener))
      var next = Descriptors.first
      func take() -> SharedDescriptor {
        defer { next += 1 }
        return SharedDescriptor(FileDescriptor(owning: next))
      }
      let tasks = plan.cgroups.map { _ in take() }
      let cgroup = plan.cgroupDirectory.map { _ in take() }
      var sources = plan.binds.map { _ in take() }
      setUp(listener) { () throws(SetupError) in
        var interpreter = SetupInterpreter(sources: sources)
        sources = []
        try interpreter.run(plan.steps)
      }
      // The container's own from now on; that of the host was for the time until there was one.
      try Child.openNullInput()
      try leaveSockets(plan.restrictions)
      let isNamespace = Namespaces(rawValue: plan.namespaces).contains(.pid)
      if !isNamespace { try CurrentProcess.adoptOrphans() }
      let server = try InitServer(
        starter: ProcessStarter(restrictions: plan.restrictions, cgroupTasks: tasks, cgroup: cgroup),
        tree: ProcessTree(cgroup: cgroup, isNamespace: isNamespace), listener: listener,
        exits: SharedDescriptor(FileDescriptor(owning: Descriptors.exits)))
      try server.run()
    } catch {
      // Nobody may be connected yet; the task's init.log is where this can be read.
      Child.report(Array("container-init: \(error)\n".utf8), to: 2)
      Child.exit(70)
    }
  }

  /// The same in a container that somebody else has made: what the plan leaves to do is done in place, and everything
  /// that is inherited otherwise comes through the socket at `path`.
  package static func main(handover path: String) -> Never {
    // An engine opens /dev/null of the container for them, which an image or a volume may have made a link to any file:
    // nothing is ever written there, and what goes wrong before there is a log goes nowhere.
    guard (try? leaveStreams()) != nil else { Child.exit(70) }
    do {
      try prepare()
      let score = OutOfMemoryScore()
      let inherited = InheritedLimits.read()
      let received = try Handover.receive(path)
      // Only now: the executor has raised them, and may lack the capability too.
      try keepLimits()
      let files = received.files
      try Credentials.identifyForAudit(received.plan.restrictions.identity.uid)
      // Last words go to the task's init.log from here on.
      try Child.place(files.log.rawValue, at: Descriptors.log)
      try Child.place(files.log.rawValue, at: Descriptors.log + 1)
      setUp(files.listener) { () throws(SetupError) in
        var interpreter = try SetupInterpreter(standingAt: "/")
        try interpreter.run(received.plan.steps)
      }
      try leaveSockets(received.plan.restrictions)
      // Pid 1 of the container, unless it was asked to share another pid namespace.
      let isNamespace = CurrentProcess.pid == 1
      if !isNamespace { try CurrentProcess.adoptOrphans() }
      var restrictions = received.plan.restrictions
      restrictions.limits = InheritedLimits.completed(
        restrictions.limits, inherited, for: restrictions.identity.uid)
      let server = try InitServer(
        starter: ProcessStarter(restrictions: restrictions, cgroupTasks: [], cgroup: nil, score: score),
        tree: ProcessTree(cgroup: nil, isNamespace: isNamespace), listener: files.listener, exits: files.exits)
      try server.run()
    } catch {
      Child.report(Array("container-init: \(error)\n".utf8), to: 2)
      Child.exit(70)
    }
  }

  /// Puts what nothing can be written to, and nothing be read from, in the place of the standard streams: the reading end of a
  /// pipe that nobody writes to.
  private static func leaveStreams() throws(Errno) {
    let nothing = try makePipe().first
    for number in Int32(0)...2 where number != nothing.rawValue { try Child.place(nothing.rawValue, at: number) }
  }

  private static func prepare() throws(Errno) {
    CurrentProcess.ignoreBrokenPipes()
    CurrentProcess.setName("aurora-init")
    // From the first instruction: no process of the container may look into this one (ptrace(2)).
    try Credentials.setDumpable(false)
    // The plan's modes are exact; the processes get their own mask.
    Child.setFileCreationMask(0)
  }

  /// Here and not in the processes, which could not look into each other any more: one domain is the container's.
  private static func leaveSockets(_ restrictions: Restrictions) throws(Errno) {
    guard restrictions.scopesSockets else { return }
    // In an engine's container init has no CAP_SYS_ADMIN.
    if restrictions.noNewPrivileges { try Credentials.setNoNewPrivileges() }
    try Landlock.scopeAbstractSockets()
  }

  /// Processes of the task may have init's uid: none of them takes its limits from it, nor, where it may have it so, the room for
  /// what comes with a signal: the kernel counts that by uid, and without room says of nobody that he has sent it.
  private static func keepLimits() throws(Errno) {
    try Credentials.becomeNobodys()
    try? ProcessLimits.set(ResourceLimit.pendingSignals, soft: .max, hard: .max)
  }

  private static func readPlan() throws -> LaunchPlan {
    let file = FileDescriptor(owning: Descriptors.plan)
    return try LaunchPlan(decoding: try file.readToEnd(limit: 16 << 20))
  }

  /// Does the set-up, and lets go of everything that it has opened: in a function of its own, for what is held in one that
  /// never returns may be held for ever.
  @inline(never)
  private static func setUp(_ listener: SharedDescriptor, _ body: () throws(SetupError) -> Void) {
    do throws(SetupError) { try body() } catch { refuse(error, listener) }
  }

  /// Tells the executor, which is connected or about to be, why there will be no container.
  private static func refuse(_ error: SetupError, _ listener: SharedDescriptor) -> Never {
    Child.report(Array("container-init: \(error.message)\n".utf8), to: 2)
    // An executor that died before it connected is not waited for.
    guard ProcessHandle.waitForEnd(listener.rawValue, milliseconds: 10_000) else { Child.exit(70) }
    if let socket = (try? UnixSocket.accept(listener.descriptor)) ?? nil,
      let channel = try? InitChannel(SharedDescriptor(socket))
    {
      try? channel.send(InitEvent.setupFailed(error.message, hint: error.hint))
    }
    Child.exit(70)
  }
}
