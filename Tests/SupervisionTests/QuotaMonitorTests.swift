import DiskUsage
import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import TaskModel
import TaskStore
import Testing

@testable import Supervision

/// What follows from what a quota says and from what the files are measured to take. The quota is played: the kernel's needs
/// root and a file system that has one.
@Suite struct QuotaMonitorTests {
  /// An account that says what it is told to.
  private final class Account: DiskCharge {
    let project: UInt32 = 7
    let limit: UInt64 = 1 << 20
    let hardLimit: UInt64 = 11 << 20
    let device: UInt64 = 0
    let isExact: Bool
    var charged: Result<ProjectQuota.Usage, Errno>
    private(set) var loosened = 0
    var canLoosen = true

    init(_ bytes: UInt64, files: UInt64 = 10, isExact: Bool = true) {
      charged = .success(.init(bytes: bytes, inodes: files))
      self.isExact = isExact
    }
    func usage() throws(Errno) -> ProjectQuota.Usage { try charged.get() }
    func loosen() throws(Errno) {
      guard canLoosen else { throw Errno("quotactl", code: EPERM) }
      loosened += 1
    }
  }

  private let host: TaskHost
  private let warnings = Warnings()

  private final class Warnings {
    var all: [String] = []
  }

  init() throws {
    host = try TaskHost()
    for directory in [host.paths.sandbox, host.paths.logs, host.paths.run] {
      try makeDirectories(directory, mode: 0o700)
    }
  }

  private func monitor(_ account: Account) throws -> QuotaMonitor {
    let container = try PlayedContainer(
      LaunchPlan(taskID: "t-1", identity: host.identity, sandbox: "/sandbox"), host.paths, InitScript())
    let scale = try DiskScale(host.paths, container, counting: account.isExact ? .blocks : .content)
    // Taken over, it is looked at at once.
    return try QuotaMonitor(account, scale, container, isNew: false, chargesLogs: false) { [warnings] in
      warnings.all.append($0)
    }
  }

  /// What it says when its time has come.
  private func look(_ monitor: QuotaMonitor) throws -> [TaskEvent] {
    try #require(try waitUntilReady(monitor.descriptor, read: true, write: false, timeoutMilliseconds: 10_000))
    return monitor.takeEvents()
  }

  private func message(_ events: [TaskEvent]) -> String? {
    guard case .limitation(Reason.disk, let message)? = events.first, events.count == 1 else { return nil }
    return message
  }

  @Test func whatIsChargedAboveTheLimitEndsTheTaskAndIsNamed() throws {
    try write(2 << 20, to: host.paths.sandbox + "/big")
    let monitor = try monitor(Account(5 << 20))
    let said = try #require(message(try look(monitor)))
    // What the task's directories do not explain is somewhere else.
    #expect(said.hasPrefix("disk limit exceeded: 1 MiB limit, 5 MiB used: files elsewhere "), "\(said)")
    #expect(said.contains("sandbox/big 2 MiB"))
    #expect(monitor.explainEnd(isFailure: true).isEmpty)
  }

  @Test func whatIsOnlySetAsideIsGivenBackAndEndsNothing() throws {
    try write(100_000, to: host.paths.sandbox + "/some")
    let monitor = try monitor(Account(3 << 20, isExact: false))
    #expect(try look(monitor).isEmpty)
    #expect(!monitor.isExplaining)
  }

  @Test func whatIsNotChargedIsMeasured() throws {
    try write(2 << 20, to: host.paths.sandbox + "/big")
    let said = try #require(message(try look(try monitor(Account(100)))))
    #expect(said.contains("2 MiB used: sandbox/big 2 MiB"), "\(said)")
  }

  @Test func aTaskWithinItsLimitGoesOn() throws {
    let monitor = try monitor(Account(1000))
    #expect(try look(monitor).isEmpty)
    #expect(monitor.explainEnd(isFailure: true).isEmpty && !monitor.isExplaining)
    #expect(warnings.all.isEmpty)
  }

  @Test func tooManyFilesEndTheTask() throws {
    let said = message(try look(try monitor(Account(0, files: 50_000))))
    #expect(said == "disk limit exceeded: 50000 files and directories, a limit of 1 MiB allows 32768")
  }

  @Test func aFailureIsExplainedByTheLimitThatWasReachedBeforeAnybodyLooked() throws {
    let account = Account(1000)
    let monitor = try monitor(account)
    #expect(try look(monitor).isEmpty)
    account.charged = .success(.init(bytes: 4 << 20, inodes: 3))
    // A success needs no reason.
    #expect(monitor.explainEnd(isFailure: false).isEmpty)
    #expect(message(monitor.explainEnd(isFailure: true))?.contains("4 MiB used") == true)
  }

  @Test func aQuotaThatCannotBeAskedIsSaidOnceAndTheFilesAreMeasured() throws {
    try write(2 << 20, to: host.paths.sandbox + "/big")
    let account = Account(0)
    account.charged = .failure(Errno("quotactl", code: ESRCH))
    let monitor = try monitor(account)
    #expect(message(try look(monitor))?.contains("sandbox/big 2 MiB") == true)
    #expect(warnings.all.count == 1)
    #expect(warnings.all.first?.contains("the task's disk quota cannot be asked, its files are measured") == true)
  }

  @Test func finalProcessesHaveRoomAndAreNotLimited() throws {
    let account = Account(3 << 20)
    let monitor = try monitor(account)
    monitor.follow(.active)
    #expect(account.loosened == 0)
    monitor.follow(.finalizing)
    #expect(account.loosened == 1)
    #expect(monitor.takeEvents().isEmpty && monitor.explainEnd(isFailure: true).isEmpty)
    account.canLoosen = false
    monitor.follow(.terminal)
    #expect(warnings.all.count == 1 && warnings.all[0].contains("EPERM"))
  }
}
