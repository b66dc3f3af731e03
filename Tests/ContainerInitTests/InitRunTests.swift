import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// Runs of a task from the fork to the record of their end, by a container-init of its own process.
@Suite(.needsExecutor) struct InitRunTests {
  @Test(arguments: [StartedInit.Place.host, .handover])
  func aRunDoesNothingUntilItIsLetGo(place: StartedInit.Place) throws {
    let container = try StartedInit(place)
    let executor = try container.connect()
    #expect(try executor.reports().isEmpty)
    let (key, pid) = try executor.spawn(.shell("echo $$ > done", in: container.directory))
    try executor.client.send(.hello(.own))
    #expect(try executor.reports() == [RunReport(key, .held(pid: pid))])
    #expect(container.file("done") == nil)

    try executor.client.send(.go(key))
    let record = try executor.end(key)
    #expect(ExitStatus(waitStatus: record.waitStatus) == .exited(0) && record.startFailure == nil)
    #expect(executor.heard.contains(.running(key)))
    #expect(container.file("done") == "\(pid)\n")
    // Written down before it was told.
    #expect(try container.exits == [record])
    try executor.client.send(.hello(.own))
    #expect(try executor.reports() == [RunReport(key, .ended(record))])
    try executor.client.send(.shutdown)
    #expect(try container.end() == .exited(0))
  }

  @Test(
    arguments: [("exit 7", .exited(7)), ("kill -TERM $$", .signaled(SIGTERM)), ("kill -KILL $$", .signaled(SIGKILL))]
      as [(String, LinuxKernel.ExitStatus)])
  func howARunEndedIsTold(line: String, end: LinuxKernel.ExitStatus) throws {
    let container = try StartedInit()
    let executor = try container.connect()
    #expect(try ExitStatus(waitStatus: executor.run(.shell(line)).waitStatus) == end)
  }

  @Test func aSignalIsForTheWholeGroupAndWakesWhatIsStopped() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    let line = "sleep 60 & echo $! > child; kill -STOP $$; wait"
    let key = try executor.start(.shell(line, in: container.directory)).key
    #expect(try eventually { try executor.isStopped(key) })
    let child = try #require(container.number("child"))
    try executor.client.send(.signal(key, SIGTERM))
    #expect(try ExitStatus(waitStatus: executor.end(key).waitStatus) == .signaled(SIGTERM))
    #expect(eventually { !isAlive(child) })
  }

  @Test func whatARunLeavesInItsGroupGoesWithIt() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    _ = try executor.run(.shell("sleep 60 & echo $! > child", in: container.directory))
    let child = try #require(container.number("child"))
    #expect(eventually { !isAlive(child) })
  }

  /// As an executor asks again that has lost the answer.
  @Test func aRunThatIsAskedForTwiceIsOne() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    _ = try executor.reports()
    let spec = ProcessSpec.shell("echo once >> file", in: container.directory)
    let (key, pid) = try executor.spawn(spec)
    try executor.client.send(.spawn(spec))
    #expect(try executor.reports() == [RunReport(key, .held(pid: pid))])
    try executor.client.send(.go(key))
    try executor.client.send(.go(key))
    _ = try executor.end(key)
    #expect(container.file("file") == "once\n")
    // A signal for a run that has ended is for nobody, and so is what a newer executor asks for.
    try executor.client.send(.signal(key, SIGTERM))
    try executor.client.send(.unknown(200))
    #expect(try executor.run(.shell("true", "other")).waitStatus == 0)
  }

  @Test func manyRunsAreToldOnceEach() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    let keys = try (0..<40).map { number in
      try executor.start(.shell("exit \(number)", "p\(number % 4)", run: UInt32(number))).key
    }
    while executor.ends.count < keys.count { _ = try executor.next() }
    #expect(Set(executor.ends.map(\.key)) == Set(keys))
    for record in executor.ends { #expect(ExitStatus(waitStatus: record.waitStatus) == .exited(Int32(record.key.run))) }
    #expect(Set(try container.exits) == Set(executor.ends))
  }

  @Test func aRunHasWhatItsTaskIsHeldTo() throws {
    let container = try StartedInit(restrict: { restrictions in
      restrictions.noNewPrivileges = true
      restrictions.pinsNoFiles = true
      restrictions.limits = [ResourceLimit(resource: 7, soft: 100, hard: 100)]
    })
    let executor = try container.connect()
    let words = try executor.output(
      "umask; ulimit -n; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; ls /proc/self/fd")
    // Nothing that init has open is open in a run; 3 is the directory that ls reads.
    #expect(words == "0022\n100\nNoNewPrivs:\t1\nSeccomp:\t2\n0\n1\n2\n3\n")
  }

  @Test func aLimitThatCannotBeSetFailsTheStart() throws {
    let container = try StartedInit(restrict: { $0.limits = [ResourceLimit(resource: 7, soft: 20, hard: 10)] })
    let executor = try container.connect()
    let failure = try #require(try executor.run(.shell("true")).startFailure)
    #expect(failure.kind == .setup)
    #expect(failure.reason.contains("cannot set resource limit 7 to 20:10: prlimit: EINVAL"))
  }

  @Test func aCommandLineReadsTheProfileOfItsHome() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    try writeScript(container.directory + "/.thermos_profile", "NAME=value\n", mode: 0o600)
    #expect(try executor.output("echo $NAME", [EnvironmentVariable("HOME", container.directory)]) == "value\n")
  }
}

extension Conversation {
  /// The ends that were told so far.
  fileprivate var ends: [ExitRecord] { heard.compactMap { if case .ended(let record) = $0 { record } else { nil } } }

  /// Whether the process of a run stands still (proc(5)).
  fileprivate func isStopped(_ key: RunKey) throws -> Bool {
    let pids = heard.compactMap { event -> Int32? in if case .forked(key, let pid) = event { pid } else { nil } }
    let pid = try #require(pids.first)
    let text = String(decoding: try readFile("/proc/\(pid)/stat"), as: UTF8.self)
    return text.contains(") T ")
  }
}
