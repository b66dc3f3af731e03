import LaunchModel
import LinuxKernel

/// Pid 1 of a container: makes the container from its plan, or finishes one that somebody else has made, then serves the executor.
///
/// Started by exec in a fresh, single-threaded process, so that ordinary Swift may run between fork and exec here.
package enum ContainerInit {
  /// The hidden command that starts it. The path of a `Handover.Reception` follows where it is to connect to that one; without
  /// it, the connection is there already.
  package static let command = "__init"
  /// The descriptor of that connection.
  package static let connection: Int32 = 3

  /// - Parameter reception: in a container that an engine has made, where the executor listens.
  package static func main(reception: String?) -> Never {
    // An engine opens /dev/null of the container for them, which an image or a volume may have made a link to any file:
    // nothing is ever written there, and what goes wrong before there is a log goes nowhere.
    if reception != nil, (try? leaveStreams(0...2)) == nil { Child.exit(70) }
    do {
      try prepare()
      let container = try receive(reception)
      let server = try InitServer(
        starter: container.starter, tree: container.tree, listener: container.listener, exits: container.exits)
      defer { withExtendedLifetime(container.kept) {} }
      try server.run()
    } catch {
      // Nobody may be connected yet; the task's init.log is where this can be read.
      Child.report(Array("container-init: \(error)\n".utf8), to: 2)
      Child.exit(70)
    }
  }

  /// A container that stands, for its server.
  private struct StandingContainer {
    let starter: ProcessStarter
    let tree: ProcessTree
    let listener: SharedDescriptor
    let exits: SharedDescriptor
    let kept: [SharedDescriptor]
  }

  /// Takes the plan and carries it out. A function of its own: what is held in one that never returns may be held for ever, and
  /// the sources of mounts shall not be.
  @inline(never)
  private static func receive(_ reception: String?) throws -> StandingContainer {
    // Read-only to every process of a container of our own making.
    let score = reception == nil ? nil : OutOfMemoryScore()
    let inherited = InheritedLimits.read()
    let socket = try reception.map(Handover.connect) ?? SharedDescriptor(FileDescriptor(owning: connection))
    let (plan, files) = try Handover.receive(over: socket)
    // Only now: an executor may have raised those of an engine's container, and may lack the capability too.
    try keepLimits()
    // Last words go to the task's init.log from here on.
    try leaveStreams(0...0)
    for stream in Int32(1)...2 { try Child.place(files.log.rawValue, at: stream) }
    try Credentials.identifyForAudit(plan.restrictions.identity.uid)
    do throws(SetupError) {
      var interpreter =
        reception == nil
        ? SetupInterpreter(sources: files.sources) : try SetupInterpreter(standingAt: "/")
      try interpreter.run(plan.steps)
    } catch {
      refuse(error, files.listener)
    }
    try leaveSockets(plan.restrictions)
    // Unless it shares another pid namespace, that of the host or of another container.
    let isNamespace = CurrentProcess.pid == 1
    if !isNamespace { try CurrentProcess.adoptOrphans() }
    var restrictions = plan.restrictions
    restrictions.limits = InheritedLimits.completed(restrictions.limits, inherited, for: restrictions.identity.uid)
    return StandingContainer(
      starter: ProcessStarter(
        restrictions: restrictions, cgroupTasks: files.tasks, cgroup: files.cgroup,
        entersCgroupNamespace: Namespaces(rawValue: plan.namespaces).contains(.cgroup), score: score),
      tree: ProcessTree(cgroup: files.cgroup, isNamespace: isNamespace), listener: files.listener, exits: files.exits,
      kept: files.kept)
  }

  /// Puts what nothing can be written to, and nothing be read from, in the place of standard streams: the reading end of a
  /// pipe that nobody writes to.
  private static func leaveStreams(_ streams: ClosedRange<Int32>) throws(Errno) {
    let nothing = try makePipe().first
    for number in streams where number != nothing.rawValue { try Child.place(nothing.rawValue, at: number) }
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
