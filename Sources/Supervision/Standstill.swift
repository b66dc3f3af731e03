import LaunchModel
import LinuxKernel
import TaskModel

/// For how long the task has been stopped so that its files could be measured. That time is not the task's: an answer that is
/// waited for, and a process that was asked to end, have as much longer.
///
/// It is a monitor for its timer.
final class Standstill: TaskMonitor {
  private let timer: TimerDescriptor
  private var began: UInt64?
  private var past: UInt64 = 0
  private var quietUntil: UInt64 = 0
  /// What had passed when a run was asked to end.
  private var marks: [[UInt8]: UInt64] = [:]
  private var postponed: [(at: UInt64, run: [UInt8], body: () -> Void)] = []

  /// Whoever has been stopped has a moment to come back to what he was at.
  static let moment: UInt64 = 250_000_000
  /// How often it is looked whether the task goes on.
  private static let pause: UInt64 = 50_000_000

  init() throws(Errno) { timer = try TimerDescriptor() }

  var descriptor: Int32 { timer.descriptor.rawValue }

  func begin(at now: UInt64 = Clock.now) { began = began ?? now }

  func end(at now: UInt64 = Clock.now) {
    guard let began else { return }
    past += now - min(now, began) + Self.moment
    quietUntil = now + Self.moment
    self.began = nil
  }

  /// All of it so far.
  func total(at now: UInt64 = Clock.now) -> UInt64 { past + (began.map { now - min(now, $0) } ?? 0) }

  /// When to ask again whether something may begin that takes time of the task's; `nil` when it may.
  func rest(at now: UInt64) -> UInt64? { began != nil ? now + Self.pause : now < quietUntil ? quietUntil : nil }

  // MARK: Runs that are asked to end

  func asked(_ run: RunKey) { marks[run.bytes] = total() }

  func hasEnded(_ run: RunKey) {
    marks[run.bytes] = nil
    postponed.removeAll { $0.run == run.bytes }
  }

  /// Does something to a run whose time to end is over: at once, or when it has had what it was stopped for since it was asked.
  func overdue(_ run: RunKey, _ body: @escaping () -> Void) {
    let now = Clock.now
    let rest = marks.removeValue(forKey: run.bytes).map { total(at: now) - $0 } ?? 0
    guard rest > 0 else { return body() }
    postponed.append((now + rest, run.bytes, body))
    arm()
  }

  func takeEvents() -> [TaskEvent] {
    timer.acknowledge()
    let now = Clock.now
    if let rest = rest(at: now) {
      for index in postponed.indices { postponed[index].at = max(postponed[index].at, rest) }
    }
    let due = postponed.filter { $0.at <= now }
    postponed.removeAll { $0.at <= now }
    for one in due { one.body() }
    arm()
    return []
  }

  private func arm() {
    bestEffort("set the timer of processes that are to end") { try timer.set(postponed.map(\.at).min()) }
  }
}

extension RunKey {
  /// Two names that only look equal are two processes.
  fileprivate var bytes: [UInt8] { Array("\(process)/\(run)".utf8) }
}
