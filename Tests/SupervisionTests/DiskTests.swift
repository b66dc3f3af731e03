import DiskUsage
import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import TaskModel
import TaskStore
import Testing

@testable import Supervision

/// A task's limit of disk where there is no quota: its files are measured, for real, on a directory of this host.
@Suite struct DiskTests {
  private let host: TaskHost
  private let limit: UInt64 = 1 << 20

  init() throws { host = try TaskHost() }

  // MARK: Whole tasks

  @Test func aTaskOverItsLimitIsEnded() throws {
    host.settings.isolation = ["disk/du"]
    host.prepare = { [paths = host.paths] containerizer in
      containerizer.prepare = { _ in try? write(3 << 20, to: paths.sandbox + "/big") }
    }
    let text = TaskHost.task(#", "resources": {"cpu": 1, "ram": 1048576, "disk": 1048576}"#)
    let end = try host.run(text, InitScript(ends: ["main": [.lives]]))
    #expect(end.state == .failed)
    #expect(try host.result["reason"]?.string == Reason.disk)
    let message = try host.result["message"]?.string ?? ""
    #expect(message.hasPrefix("disk limit exceeded: 1 MiB limit, 3 MiB used: sandbox/big 3 MiB"), "\(message)")
    #expect(try host.updates.last?["reason"]?.string == Reason.disk)
  }

  @Test func withoutTheIsolatorNothingIsMeasured() throws {
    let task = try host.bind(TaskHost.task(#", "resources": {"cpu": 1, "ram": 1048576, "disk": 1048576}"#))
    #expect(DiskLimit.bytes(task, host.settings) == nil)
    host.settings.isolation = ["disk/du"]
    #expect(DiskLimit.bytes(task, host.settings) == 1 << 20)
  }

  // MARK: The monitor by itself

  /// A task's directories, a container of it, and a program that measures it when it has many files.
  private func prepare(_ files: Int, worker: String = "exit 9") throws -> (scale: DiskScale, container: PlayedContainer)
  {
    for directory in [host.paths.sandbox, host.paths.logs, host.paths.run] {
      try makeDirectories(directory, mode: 0o700)
    }
    for number in 0..<files { try writeFileAtomically("\(host.paths.sandbox)/\(number)", [], mode: 0o600) }
    let program = host.path + "/worker"
    try writeFileAtomically(program, Array("#!/bin/sh\n\(worker)\n".utf8), mode: 0o700)
    let container = try PlayedContainer(
      LaunchPlan(taskID: "t-1", identity: host.identity, sandbox: "/sandbox"), host.paths, InitScript())
    return (try DiskScale(host.paths, container, program: program), container)
  }

  /// What a worker says that has found so much.
  private func answer(_ found: DiskMeasurement) throws -> String {
    let path = host.path + "/answer"
    let bytes = found.encoded
    let length = (0..<4).reversed().map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) }
    try writeFileAtomically(path, length + bytes, mode: 0o600)
    return "cat \(path)"
  }

  private static let many = 2100

  private func events(of scale: DiskScale) throws -> [DiskScale.Event] {
    var events: [DiskScale.Event] = []
    _ = try waitUntil {
      _ = try waitUntilReady(scale.descriptor, read: true, write: false, timeoutMilliseconds: 10_000)
      events = scale.takeEvents()
      return !events.isEmpty
    }
    return events
  }

  @Test func aSmallTreeIsMeasuredOnTheSpot() throws {
    let (scale, _) = try prepare(10)
    try write(100_000, to: host.paths.sandbox + "/some")
    let found = try #require(try scale.begin(openFilesBelow: nil))
    #expect(found.bytes >= 100_000 && found.bytes < 1 << 20 && found.files >= 11)
    #expect(!scale.isBusy)
    let space = scale.space
    #expect((space.free ?? 0) > 0)
  }

  @Test func aLargeTreeIsMeasuredByAWorker() throws {
    let said = DiskMeasurement(bytes: 123, files: 4, largest: [.init(path: "sandbox/x", bytes: 100)])
    let (scale, _) = try prepare(Self.many, worker: try answer(said))
    #expect(try scale.begin(openFilesBelow: nil) == nil)
    #expect(scale.isBusy)
    guard case .ended(.success(let found))? = try events(of: scale).first else {
      Issue.record("the worker's answer is not heard")
      return
    }
    #expect(found == said && !scale.isBusy)
  }

  @Test func aDirectoryThatWasEmptiedIsReadByAWorker() throws {
    let said = DiskMeasurement(bytes: 123, files: 4, largest: [])
    let (scale, _) = try prepare(0, worker: try answer(said))
    func name(_ index: Int) -> String { "\(host.paths.sandbox)/" + String(repeating: "x", count: 240) + "\(index)" }
    for index in 0..<20_000 { _ = try openFile(name(index), O_WRONLY | O_CREAT, mode: 0o600) }
    for index in 0..<20_000 { try removeFile(name(index)) }
    // Some file systems give back what names took.
    guard try status(of: host.paths.sandbox).blocks * 512 > 4 << 20 + 4096 else { return }
    #expect(try scale.begin(openFilesBelow: nil) == nil)
    #expect(scale.isBusy)
  }

  @Test func aSearchThatIsHeldUpLeavesWhatNamesTake() throws {
    var names = DiskMeasurement(bytes: 123, files: 4, largest: [])
    names.isCut = true
    let (scale, _) = try prepare(0, worker: try answer(names) + "; kill -ALRM $$")
    let child = try SpawnRequest(executable: .path("/bin/sleep"), arguments: ["sleep", "60"], descriptors: [0, 1, 2])
      .spawn()
    defer {
      try? child.signal(SIGKILL)
      _ = try? child.wait()
    }
    // What a process has open is never looked for by this one: it could have it wait.
    #expect(try scale.begin(openFilesBelow: CurrentProcess.pid) == nil)
    guard case .ended(.success(let found))? = try events(of: scale).first else {
      Issue.record("what names take is not heard")
      return
    }
    #expect(found.isHeldUp && found.isCut && found.bytes == 123)
  }

  @Test func aWorkerWhoseTimeIsUpIsEnded() throws {
    let child = try SpawnRequest(executable: .path("/bin/sleep"), arguments: ["sleep", "60"], descriptors: [0, 1, 2])
      .spawn()
    defer {
      try? child.signal(SIGKILL)
      _ = try? child.wait()
    }
    let program = try #require(builtProgram, "aurora-executor, which is built together with these tests")
    _ = try prepare(5)
    let roots = [try DiskTree.Root(label: "sandbox", path: host.paths.sandbox)]
    // With time, what is found is whole; both come over the same pipe.
    for end in [UInt64.max, Clock.now + 1] {
      let worker = try DiskWorker(
        roots, counting: .blocks, openFilesBelow: CurrentProcess.pid, until: end, program: program)
      var found: DiskMeasurement?
      _ = waitUntil {
        if case .finished(let said) = worker.take() { found = said }
        return found != nil
      }
      #expect(found?.files == 6 && found?.isCut == (end != .max))
    }
  }

  @Test(arguments: [("exit 9", "it ended with exit status 9"), ("kill -9 $$", "it ended with signal 9")])
  func aWorkerThatDiesIsSaidTo(worker: String, why: String) throws {
    let (scale, _) = try prepare(Self.many, worker: worker)
    #expect(try scale.begin(openFilesBelow: nil) == nil)
    guard case .ended(.failure(let failure))? = try events(of: scale).first else {
      Issue.record("its end is not heard")
      return
    }
    #expect(failure.reason == why && !scale.isBusy)
  }

  @Test func aWorkerThatIsGivenUpIsKilled() throws {
    let pid = host.path + "/pid"
    let (scale, _) = try prepare(Self.many, worker: "echo $$ > \(pid).new; mv \(pid).new \(pid); exec sleep 1000")
    #expect(try scale.begin(openFilesBelow: nil) == nil)
    #expect(waitUntil { (try? status(of: pid)) != nil })
    let number = try #require(Int32(String(decoding: try readFile(pid).dropLast(), as: UTF8.self)))
    scale.abandon()
    #expect(!scale.isBusy)
    // It is reaped when that is told.
    #expect(
      waitUntil {
        _ = scale.takeEvents()
        return (try? status(of: "/proc/\(number)")) == nil
      })
  }

  /// Has a monitor go on until it has something to say, or something is so.
  private func run(_ monitor: DiskMonitor, until isSo: () -> Bool = { false }) throws -> [TaskEvent] {
    var events: [TaskEvent] = []
    _ = try waitUntil {
      _ = try waitUntilReady(monitor.descriptor, read: true, write: false, timeoutMilliseconds: 2000)
      events = monitor.takeEvents()
      return !events.isEmpty || isSo()
    }
    return events
  }

  @Test func aMeasurementThatFailsIsSaidOnceAndTriedAgain() throws {
    let (scale, container) = try prepare(Self.many, worker: "exit 9")
    var warnings: [String] = []
    let monitor = try DiskMonitor(limit: limit, scale, container, isNew: false) { warnings.append($0) }
    // What a task did under another executor may be anything: where nobody can tell for long, it is ended.
    let events = try run(monitor)
    #expect(
      events == [
        .limitation(
          reason: Reason.disk,
          message: "disk limit exceeded: 1 MiB limit, and what is used cannot be measured: it ended with exit status 9")
      ])
    #expect(
      warnings == [
        "warning: the task's use of disk cannot be measured, it is tried again: it ended with exit status 9"
      ])
  }

  @Test func aTaskWhoseFilesKeepChangingIsStoppedWhileItIsMeasured() throws {
    let changing = DiskMeasurement(bytes: 1000, files: 3000, largest: [], isChanging: true)
    let (scale, container) = try prepare(Self.many, worker: try answer(changing))
    container.canFreeze = true
    let standstill = try Standstill()
    let monitor = try DiskMonitor(limit: limit, scale, container, standstill, isNew: false) { _ in }
    #expect(try run(monitor) { container.thawed > 0 }.isEmpty)
    #expect(container.frozen == 1 && container.thawed == 1)
    #expect(standstill.total() > Standstill.moment && standstill.rest(at: Clock.now + Standstill.moment) == nil)
  }

  @Test func aLossThatNothingExplainsIsLookedForWithTheTaskStopped() throws {
    let calm = DiskMeasurement(bytes: 1000, files: 3000, largest: [])
    let (scale, container) = try prepare(Self.many, worker: try answer(calm))
    container.canFreeze = true
    container.looksBeforeFrozen = 3
    let monitor = try DiskMonitor(limit: limit, scale, container, isNew: false) { _ in }
    #expect(try run(monitor) { container.thawed > 0 }.isEmpty)
    #expect(container.frozen == 1 && container.thawed == 1 && container.looksBeforeFrozen < 0)
  }

  @Test func whoDoesNotStopIsMeasuredAllTheSame() throws {
    let changing = DiskMeasurement(bytes: 1000, files: 3000, largest: [], isChanging: true)
    let (scale, container) = try prepare(Self.many, worker: try answer(changing))
    container.canFreeze = true
    container.looksBeforeFrozen = .max
    let monitor = try DiskMonitor(limit: limit, scale, container, isNew: false) { _ in }
    #expect(try run(monitor) { container.thawed > 0 }.isEmpty)
    #expect(container.frozen == 1)
  }

  @Test func whatMayHaveBeenMetTwiceIsMeasuredAgainBeforeItIsTheEnd() throws {
    let found = DiskMeasurement(bytes: 3 << 20, files: 3000, largest: [], isChanging: true)
    let (scale, container) = try prepare(Self.many, worker: try answer(found))
    container.canFreeze = true
    let monitor = try DiskMonitor(limit: limit, scale, container, isNew: true) { _ in }
    #expect(try run(monitor).count == 1)
    #expect(container.frozen == 1)
  }

  @Test func whoIsToEndIsNotStopped() throws {
    let changing = DiskMeasurement(bytes: 1000, files: 3000, largest: [], isChanging: true)
    for phase in [TaskMachine.Phase.stopping, .cleaning] {
      let (scale, container) = try prepare(Self.many, worker: try answer(changing))
      container.canFreeze = true
      container.looksBeforeFrozen = .max
      let standstill = try Standstill()
      let monitor = try DiskMonitor(limit: limit, scale, container, standstill, isNew: false) { _ in }
      _ = try run(monitor) { container.frozen > 0 }
      #expect(standstill.rest(at: Clock.now) != nil)
      monitor.follow(phase)
      #expect(container.thawed == 1 && !scale.isBusy)
      #expect(try !waitUntilReady(monitor.descriptor, read: true, write: false, timeoutMilliseconds: 1500))
      try removeTree(host.path)
      try makeDirectory(host.path, mode: 0o700)
    }
  }

  @Test func theBuiltProgramMeasuresWhatItIsToldTo() throws {
    let program = try #require(builtProgram, "aurora-executor, which is built together with these tests")
    let (_, container) = try prepare(Self.many)
    try write(2 << 20, to: host.paths.sandbox + "/big")
    let scale = try DiskScale(host.paths, container, program: program)
    #expect(try scale.begin(openFilesBelow: nil) == nil)
    guard case .ended(.success(let found))? = try events(of: scale).first else {
      Issue.record("it has not measured")
      return
    }
    #expect(found.bytes >= 2 << 20 && found.largest.first?.path == "sandbox/big")
    #expect(found.files > UInt64(Self.many) && found.obstacle == nil)
  }

  /// What was built together with these tests.
  private var builtProgram: String? {
    guard let own = try? readSymbolicLink("/proc/self/exe"), let slash = own.lastIndex(of: UInt8(ascii: "/")) else {
      return nil
    }
    let path = String(decoding: own[..<slash], as: UTF8.self) + "/aurora-executor"
    return (try? status(of: path)) == nil ? nil : path
  }
}

/// A file of so many bytes that are there.
func write(_ bytes: Int, to path: String) throws {
  let file = try openFile(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
  try file.writeAll([UInt8](repeating: 1, count: bytes))
  // What is not allocated yet is not counted.
  try file.synchronize()
}
