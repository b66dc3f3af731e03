import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// Makes the health checks of a task when they are due, and tells what comes of them.
///
/// The task's own check lasts as long as the task is active; that of a process as long as a run of it runs.
final class HealthMonitor {
  private let task: TaskSpecification
  private let probes: ContainerProbes
  private let plan: LaunchPlan
  private let environment: ProcessEnvironment
  private let paths: TaskPaths
  private let standstill: Standstill?
  /// By the bytes of the process's name; empty for the task's. What is over stays, for the report, until another run.
  private var subjects: [[UInt8]: HealthSubject] = [:]
  private let checks: [[UInt8]: HealthCheck]
  private var phase = TaskMachine.Phase.starting
  /// When to check whom. An entry that does not fit its subject any more is passed over.
  private var agenda = Heap<Appointment>()
  private var hasNews = false
  private var reportedAt: UInt64?

  private struct Appointment: Comparable, Sendable {
    let at: UInt64
    let key: [UInt8]
    static func < (left: Appointment, right: Appointment) -> Bool { left.at < right.at }
  }

  /// A file of this name in the sandbox pauses every check.
  private static let snooze = ".healthchecksnooze"
  /// Checks under way at a time; a task with more of them has to wait for its own.
  private static let places = 64
  /// The report is written no more often than this: it holds every subject.
  private static let reportInterval: UInt64 = 1_000_000_000

  init(
    _ task: TaskSpecification, probes: ContainerProbes, plan: LaunchPlan, environment: ProcessEnvironment,
    paths: TaskPaths, _ standstill: Standstill? = nil
  ) {
    self.task = task
    self.probes = probes
    self.plan = plan
    self.environment = environment
    self.paths = paths
    self.standstill = standstill
    var checks: [[UInt8]: HealthCheck] = [:]
    for process in task.processes { checks[Array(process.name.utf8)] = process.healthCheck }
    self.checks = checks
  }

  /// Follows the task: begins and ends checks as runs come and go.
  func follow(_ event: TaskEvent, _ machine: TaskMachine) {
    if machine.phase != phase {
      // A task that is told to end is not asked any more how it is.
      if phase == .active || phase == .finalizing { stop() }
      phase = machine.phase
      if phase == .active, let check = task.healthCheck { begin(nil, check, isHealthy: machine.state == .running) }
    }
    guard phase == .active || phase == .finalizing, !checks.isEmpty else { return }
    switch event {
    case .running(let process, let run): begin(process, run, machine)
    case .ended(let process, let run, _):
      if let subject = subjects[Array(process.utf8)], subject.run?.run == run { end(subject) }
    case .resumed: for run in machine.liveRuns { begin(run.process, run.run, machine) }
    default: break
    }
  }

  private func begin(_ process: String, _ run: Int, _ machine: TaskMachine) {
    guard let check = checks[Array(process.utf8)],
      let record = machine.record(of: process)?.runs.last, record.number == run, record.state == .running
    else { return }
    if let known = subjects[Array(process.utf8)], known.run?.run == run, !known.isOver { return }
    begin(RunReference(process: process, run: run), check, isHealthy: record.healthyAt != nil)
  }

  private func begin(_ run: RunReference?, _ check: HealthCheck, isHealthy: Bool) {
    let subject = HealthSubject(run, check, isHealthy: isHealthy)
    subjects[subject.key] = subject
    plan(subject, at: Clock.now)
  }

  private func end(_ subject: HealthSubject) {
    if let probe = subject.probe { probes.cancel(probe) }
    subject.end()
    // Its place may be what others wait for.
    wake()
  }

  private func stop() {
    agenda = Heap()
    for subject in subjects.values where !subject.isOver { end(subject) }
    probes.wake(at: nil) {}
    if hasNews { writeReport() }
  }

  // MARK: Checks

  /// Only ever from the timer: a check that ends at once must not lead to the next without a look at anything else.
  private func plan(_ subject: HealthSubject, at instant: UInt64) {
    subject.dueAt = instant
    agenda.insert(Appointment(at: instant, key: subject.key))
    wake()
  }

  private func wake(notBefore rest: UInt64 = 0) {
    let report = hasNews ? (reportedAt ?? 0) + Self.reportInterval : .max
    // Without a free place the end of a check is what to wait for.
    let check = probes.count < Self.places ? agenda.first?.at ?? .max : .max
    let next = max(min(report, check), rest)
    probes.wake(at: next == .max ? nil : next) { [weak self] in self?.takeDue() }
  }

  private func takeDue() {
    let now = Clock.now
    // Nobody is asked who cannot answer.
    let rest = standstill?.rest(at: now)
    while rest == nil, probes.count < Self.places, let next = agenda.first, next.at <= now {
      _ = agenda.removeFirst()
      guard let subject = subjects[next.key], subject.dueAt == next.at else { continue }
      make(subject)
    }
    if hasNews, now >= (reportedAt ?? 0) + Self.reportInterval { writeReport() }
    wake(notBefore: rest ?? 0)
  }

  private func make(_ subject: HealthSubject) {
    subject.dueAt = nil
    guard subject.counter.mayCheck() else { return tell(subject) }
    let wall = Clock.wall
    if (try? status(of: paths.sandbox + "/" + Self.snooze)) != nil {
      if subject.snooze(wall: wall) { hasNews = true }
      return plan(subject, at: Clock.now &+ nanoseconds(subject.check.interval))
    }
    let began = Clock.now
    let then: (ContainerProbes.Answer) -> Void = { [weak self, weak subject] answer in
      guard let self, let subject, !subject.isOver else { return }
      subject.probe = nil
      guard let finding = HealthVerdict.of(answer, subject.check) else {
        return self.plan(subject, at: Clock.now &+ self.nanoseconds(subject.check.interval))
      }
      subject.add(.init(wall: wall, milliseconds: (Clock.now - began) / 1_000_000, finding: finding))
      self.take(finding.outcome, subject)
    }
    let timeout = subject.check.timeout
    let probe =
      switch subject.check.probe {
      case .http(let port, let endpoint, let expected, _):
        probes.ask(
          port: port, .init(method: "GET", endpoint: endpoint, wantsBody: !expected.isEmpty), within: timeout,
          then: then)
      case .tcp(let port): probes.ask(port: port, nil, within: timeout, then: then)
      case .shell(let command): probes.run(spec(command, subject.run), within: timeout, then: then)
      }
    // It may have failed at once.
    if subject.dueAt == nil { subject.probe = probe }
  }

  private func take(_ outcome: HealthCounter.Outcome, _ subject: HealthSubject) {
    let before = subject.counter.status
    subject.counter.record(outcome)
    hasNews = true
    if subject.counter.status != before { tell(subject) }
    if case .unhealthy = subject.counter.status { return wake() }
    plan(subject, at: Clock.now &+ nanoseconds(subject.check.interval))
  }

  private func tell(_ subject: HealthSubject) {
    switch (subject.counter.status, subject.run) {
    case (.starting, _): break
    case (.running, nil): probes.tell(.healthy)
    case (.running, let run?): probes.tell(.processHealthy(process: run.process, run: run.run))
    case (.unhealthy(let why), let run):
      probes.tell(run.map { .processUnhealthy(process: $0.process, run: $0.run, why) } ?? .unhealthy(why))
    }
  }

  private func spec(_ command: String, _ run: RunReference?) -> ProcessSpec {
    ProcessSpec(
      process: run?.process ?? "", run: UInt32(run?.run ?? 0), command: .shell(command),
      environment: environment.variables(image: plan.environment, run: run),
      workingDirectory: plan.sandbox, logMode: .direct)
  }

  private func nanoseconds(_ seconds: Double) -> UInt64 { UInt64(min(max(0.1, seconds), 1e9) * 1e9) }

  private func writeReport() {
    hasNews = false
    reportedAt = Clock.now
    HealthReport.write(
      subjects.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value.json), to: paths.health)
  }
}
