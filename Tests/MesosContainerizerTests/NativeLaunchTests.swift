import ContainerInit
import Containers
import Glibc
import Isolators
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskStore
import Testing

@testable import MesosContainerizer

/// Containers as a host without root has them, from the launch to the end. Container-init is the real one.
@Suite(.enabled(if: NativeTask.program != nil, "needs the aurora-executor binary, built with these tests"))
struct NativeLaunchTests {
  private func run(_ task: NativeTask, _ client: InitClient, _ line: String, as name: String) throws -> ExitRecord {
    let spec = ProcessSpec(
      process: name, run: 0, command: .shell(line), environment: [], workingDirectory: task.paths.sandbox,
      logMode: .discard)
    try client.send(.spawn(spec))
    while true {
      switch try task.next(client) {
      case .forked(let key, _): try client.send(.go(key))
      case .ended(let record): return record
      case .cannotStart(_, let failure): throw failure
      default: break
      }
    }
  }

  private func record(_ container: any Container) -> JSON { JSON(object: container.record) }

  @Test func aContainerRunsWhatItIsAskedToAndIsGone() throws {
    let task = try NativeTask()
    try task.makeDirectory()
    let container = try task.launch()
    #expect(try task.next(container.client) == .ready(.own, []))
    let line = "echo here > file; grep -q '^NoNewPrivs:.1' /proc/self/status && exit 5"
    #expect(try run(task, container.client, line, as: "main").waitStatus == 5 << 8)
    #expect(try readFile(task.paths.sandbox + "/file") == Array("here\n".utf8))
    #expect(ExitRecord.records(in: try readFile(task.paths.exits)).count == 1)
    // Without mounts of its own it sees its logs where they are.
    #expect(
      container.logsDirectory == task.paths.logs && container.writableLayer == nil && container.engineContainerID == nil
    )
    #expect(container.usage() == ContainerUsage() && container.outOfMemoryKillCount() == nil)
    #expect(container.hasMemoryCgroup("/aurora-executor/t-1/task"))
    #expect(!container.hasMemoryCgroup("/aurora-executor/t-10"))
    #expect(!container.freeze() && !container.initSharesMemory)
    let pid = container.initPID
    #expect(kill(pid, 0) == 0)
    #expect(container.destroy() == [])
    #expect(kill(pid, 0) == -1)
    #expect(waitForEnd(container))
  }

  private func waitForEnd(_ container: any Container) -> Bool {
    ProcessHandle.waitForEnd(container.endDescriptor, milliseconds: 20_000)
  }

  @Test func anotherExecutorGoesOnWithIt() throws {
    let task = try NativeTask()
    try task.makeDirectory()
    let first = try task.launch()
    #expect(try task.next(first.client) == .ready(.own, []))
    let end = try run(task, first.client, "exit 3", as: "main")
    let launched = LaunchRecord(first.plan, nil)
    var next = try task.containerizer()
    guard case .container(let container) = try next.adopt(record(first), launched) else {
      Issue.record("it was not found")
      return
    }
    #expect(container.initPID == first.initPID && container.plan == first.plan)
    #expect(try task.next(container.client) == .ready(.own, [RunReport(RunKey("main", 0), .ended(end))]))
    #expect(try run(task, container.client, "true", as: "next").waitStatus == 0)
    #expect(container.destroy() == [])
    // And whoever comes later finds it gone.
    guard case .gone(let why) = try next.adopt(record(first), launched) else {
      Issue.record("it was found")
      return
    }
    #expect(why.contains("container-init was gone"))
    #expect(throws: ExecutorFailure.self) { try next.adopt(JSON(object: []), launched) }
  }

  @Test func howInitEndedIsItsLastWord() throws {
    let task = try NativeTask()
    try task.makeDirectory()
    let container = try task.launch()
    #expect(try task.next(container.client) == .ready(.own, []))
    #expect(kill(container.initPID, SIGKILL) == 0)
    #expect(waitForEnd(container))
    #expect(container.lastWords().text.contains("SIGKILL"))
    #expect(container.destroy() == [])
  }

  /// An executor was killed before it could write down whom it had started.
  @Test func aContainerThatNobodyKnowsOfIsEnded() throws {
    let task = try NativeTask()
    try task.makeDirectory()
    let container = try task.launch()
    #expect(try task.next(container.client) == .ready(.own, []))
    #expect(try task.containerizer().removeRemains(keeping: false) == [])
    #expect(waitForEnd(container))
    #expect((try? status(of: task.paths.controlSocket)) == nil)
    _ = container.destroy()
  }

  @Test func aLaunchThatFailsLeavesNothingRunning() throws {
    let task = try NativeTask()
    try task.makeDirectory()
    // Somebody listens there already.
    let other = try UnixSocket.listen(task.paths.controlSocket, kind: .sequencedPackets)
    do {
      _ = try task.launch()
      Issue.record("it was launched")
    } catch {
      let failure = try #require(error as? ExecutorFailure)
      #expect(failure.cause.contains("EADDRINUSE"))
    }
    _ = other.rawValue
  }

  /// What init is executed from cannot be written to by whoever comes to it in a container (CVE-2019-5736).
  @Test func theProgramIsSealed() throws {
    let task = try NativeTask()
    let program = try #require(NativeTask.program)
    try makeDirectories(task.path + "/beside")
    let sealed = try SealedExecutable.open(program, beside: task.path + "/beside")
    let path = "/proc/self/fd/\(sealed.rawValue)"
    #expect(try status(of: path, followLinks: true).size == status(of: program, followLinks: true).size)
    #expect(throws: Errno.self) { try openFile(path, O_WRONLY).writeAll([0]) }
    #expect(throws: Errno.self) { _ = try SealedExecutable.open(task.path + "/missing", beside: task.path).rawValue }
  }

  @Test func filesOfTheHostAreCopiedAnew() throws {
    let host = try PlayedHost(isRoot: false)
    let containerizer = MesosContainerizer(
      isolators: [], host: host.facts, owner: host.owner, program: try #require(NativeTask.program))
    var plan = LaunchPlan(taskID: "t", identity: ContainerConfig.plain().identity, sandbox: "/s")
    try writeFileAtomically(host.path + "/hosts", Array("127.0.0.1 localhost\n".utf8))
    plan.copies = [
      FileCopy(from: host.path + "/hosts", to: host.path + "/network/hosts"),
      FileCopy(from: host.path + "/missing", to: host.path + "/network/missing"),
    ]
    let files = ContainerFiles(
      initLog: host.path + "/init.log", exits: host.path + "/exits", controlSocket: host.path + "/sock",
      directory: host.path)
    let sandbox = SharedDescriptor(try openFile(host.path, O_RDONLY | O_DIRECTORY))
    // Twice: what an interrupted launch has left is made anew.
    for _ in 0..<2 {
      do {
        _ = try containerizer.launch(plan, .plain(), files: files, sandbox: sandbox, keepOpen: []).parts()
        Issue.record("it was launched")
      } catch {
        #expect(error.message.hasPrefix("cannot copy \(host.path)/missing to "))
      }
    }
    #expect(try readFile(host.path + "/network/hosts") == Array("127.0.0.1 localhost\n".utf8))
    #expect(try status(of: host.path + "/network/hosts").permissions == 0o644)
  }
}
