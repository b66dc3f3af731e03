import ContainerInit
import Containers
import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import TaskStore
import Testing

/// A container's init that an executor before this one has started: whether it lives, whether it is the same, and whether
/// one can speak with it.
@Suite struct LivingInitTests {
  private let directory = Directory()
  private var paths: TaskPaths { directory.paths }

  private final class Directory {
    let path = "/tmp/aurora-living-\(UInt64.random(in: 0 ... .max))"
    let paths: TaskPaths
    init() { paths = TaskPaths(workDirectory: path + "/work", runDirectory: path + "/run", taskID: "t-1") }
    deinit { try? removeTree(path) }
  }

  init() throws {
    try makeDirectories(paths.task, mode: 0o700)
    try RunDirectory.make(paths)
  }

  /// This process stands for init where somebody plays it.
  private func own() throws -> ProcessIdentity {
    let handle = SharedDescriptor(try openProcess(getpid()))
    defer { withExtendedLifetime(handle) {} }
    return try ProcessIdentity(pid: getpid(), pidfd: handle.rawValue)
  }

  private func isGone(_ found: LivingInit.Found) -> String? { if case .gone(let why) = found { why } else { nil } }

  private let goneBefore = "container-init was gone when the task was recovered"

  @Test func oneThatLivesIsSpokenWith() throws {
    var script = InitScript()
    let heard = InitScript.Heard()
    script.heard = heard
    let life = try ScriptedInit.begin(script, at: paths.controlSocket, exits: paths.exits)
    defer { withExtendedLifetime(life) {} }
    guard case .living(let living) = try LivingInit.find(try own(), paths) else {
      Issue.record("it was not found")
      return
    }
    #expect(living.client.peer.pid == getpid())
    try living.client.send(.killAll)
    #expect(waitUntil { heard.requests.contains(.killAll) })
  }

  @Test func oneThatHasEndedIsGone() throws {
    let shell = try Shell("touch $READY; exec sleep 1000")
    let identity = try ProcessIdentity(pid: shell.pid, pidfd: shell.handle.rawValue)
    shell.end()
    #expect(isGone(try LivingInit.find(identity, paths)) == goneBefore)
  }

  @Test func anotherProcessWithItsNumberIsNotIt() throws {
    let life = try ScriptedInit.begin(InitScript(), at: paths.controlSocket, exits: paths.exits)
    defer { withExtendedLifetime(life) {} }
    var reused = try own()
    reused.startTime -= 1
    #expect(isGone(try LivingInit.find(reused, paths)) == goneBefore)
    var rebooted = try own()
    rebooted.bootID = "0"
    #expect(isGone(try LivingInit.find(rebooted, paths)) == goneBefore)
    // So that the thread which plays it ends.
    _ = try InitClient(connectingTo: paths.controlSocket)
  }

  @Test func oneOfAnotherVersionIsLeftAloneAndItsExecutorIsNamed() throws {
    var script = InitScript()
    script.version = ProtocolVersion(number: 9, oldest: 9)
    let life = try ScriptedInit.begin(script, at: paths.controlSocket, exits: paths.exits)
    defer { withExtendedLifetime(life) {} }
    let journal = try Journal(creating: paths.journal)
    journal.append("created", [("executor", "/opt/aurora-executor-9")], at: 1)
    let failure = #expect(throws: ExecutorFailure.self) { try LivingInit.find(try own(), paths) }
    #expect(failure?.kind == .configuration)
    #expect(failure?.message.contains("it speaks version 9 of the protocol, this executor version 1") == true)
    #expect(failure?.hint?.hasSuffix(": /opt/aurora-executor-9 recover t-1") == true)
  }

  @Test func oneThatHangsUpIsLeftAlone() throws {
    let listener = SharedDescriptor(try UnixSocket.listen(paths.controlSocket, kind: .sequencedPackets))
    let other = try Aside {
      guard try waitUntilReady(listener.rawValue, read: true, write: false, timeoutMilliseconds: 10_000) else { return }
      _ = try UnixSocket.accept(listener.descriptor)
    }
    let failure = #expect(throws: ExecutorFailure.self) { try LivingInit.find(try own(), paths) }
    #expect(failure?.message.hasSuffix("container-init closed the connection") == true)
    try other.join()
  }

  @Test func oneThatNobodyCanReachAnyMoreIsEnded() throws {
    let shell = try Shell("touch $READY; exec sleep 1000")
    let identity = try ProcessIdentity(pid: shell.pid, pidfd: shell.handle.rawValue)
    // It has neither a socket nor a second way in.
    let why = try #require(isGone(try LivingInit.find(identity, paths)))
    #expect(why.contains("could be reached by nobody any more") && why.contains("ENOENT"))
    #expect(ProcessHandle.hasEnded(shell.handle.rawValue))
  }

  @Test func aRunDirectoryOfAnotherTaskIsNotBelieved() throws {
    let other = TaskPaths(workDirectory: directory.path + "/other", runDirectory: paths.runDirectory, taskID: "t-1")
    try makeDirectories(other.task, mode: 0o700)
    let identity = try own()
    let failure = #expect(throws: ExecutorFailure.self) { try LivingInit.find(identity, other) }
    #expect(failure?.message.contains("is of a task of another work directory") == true)
  }
}
