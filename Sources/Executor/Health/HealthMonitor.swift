import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel

/// Makes the health checks of a task when they are due, and tells what comes of them.
///
/// The task's own check lasts as long as the task is active; that of a process as long as a run of it runs.
final class HealthMonitor {
  private let task: TaskSpecification
  private let probes: ContainerProbes
  private let plan: LaunchPlan
  private let environment: ProcessEnvironment
  private let paths: TaskPaths
  /// By the bytes of the process's name; empty for the task's. What is over stays, for the report, until another run.
  private var subjects: [[UInt8]: HealthSubject] = [:]
  private let checks: [[UInt8]: HealthCheck]
  private var isActive = false

  /// A file of this name in the sandbox pauses every check.
  private static let snooze = ".healthchecksnooze"

  init(
    _ task: TaskSpecification, probes: ContainerProbes, plan: LaunchPlan, environment: ProcessEnvironment,
    paths: TaskPaths
  ) {
    self.task = task
    self.probes = probes
    self.plan = plan
    self.environment = environment
    self.paths = paths
    var checks: [[UInt8]: HealthCheck] = [:]
    for process in task.processes { checks[Array(process.name.utf8)] = process.healthCheck }
    self.checks = checks
  }

  /// Follows the task: begins and ends checks as runs come and go.
  func follow(_ event: TaskEvent, _ machine: TaskMachine) {
    // A task that is told to end is not asked any more how it is.
    let isActive = machine.phase == .active
    if isActive != self.isActive {
      self.isActive = isActive
      if !isActive { return stop() }
      if let check = task.healthCheck { begin(nil, check, isHealthy: machine.state == .running) }
    }
    guard isActive, !checks.isEmpty else { return }
    switch event {
    case .running(let process, let run): begin(process, run, machine)
    case .ended(let process, let run, _):
      if let subject = subjects[Array(process.utf8)], subject.run?.run == run { subject.end() }
    case .resumed: for run in machine.liveRuns { begin(run.process, run.run, machine) }
    default: break
    }
  }

  private func begin(_ process: String, _ run: Int, _ machine: TaskMachine) {
    let key = Array(process.utf8)
    guard let check = checks[key], subjects[key]?.run?.run != run,
      let record = machine.record(of: process)?.runs.last, record.number == run, record.state == .running
    else { return }
    begin(RunReference(process: process, run: run), check, isHealthy: record.healthyAt != nil)
  }

  private func begin(_ run: RunReference?, _ check: HealthCheck, isHealthy: Bool) {
    let key = run.map { Array($0.process.utf8) } ?? []
    subjects[key] = HealthSubject(run, check, isHealthy: isHealthy, now: Clock.now)
    makeDueChecks()
  }

  private func stop() {
    for subject in subjects.values { subject.end() }
    probes.wake(at: nil) {}
  }

  // MARK: Checks

  private func makeDueChecks() {
    let now = Clock.now
    for subject in Array(subjects.values) {
      if let due = subject.dueAt, due <= now { make(subject) }
    }
    let next = subjects.values.compactMap(\.dueAt).min()
    probes.wake(at: next) { [weak self] in self?.makeDueChecks() }
  }

  private func make(_ subject: HealthSubject) {
    guard subject.counter.mayCheck() else {
      subject.dueAt = nil
      return tell(subject)
    }
    if (try? status(of: paths.sandbox + "/" + Self.snooze)) != nil {
      subject.counter.record(.snoozed)
      subject.dueAt = Clock.now &+ nanoseconds(subject.check.interval)
      return
    }
    subject.dueAt = nil
    let began = Clock.now
    let wall = Clock.wall
    let then: (ContainerProbes.Answer) -> Void = { [weak self, weak subject] answer in
      guard let self, let subject, self.isCurrent(subject) else { return }
      let finding = HealthVerdict.of(answer, subject.check)
      subject.add(.init(wall: wall, milliseconds: (Clock.now - began) / 1_000_000, finding: finding))
      self.take(finding.outcome, subject)
    }
    let timeout = subject.check.timeout
    switch subject.check.probe {
    case .http(let port, let endpoint, let expected, _):
      let request = LoopbackExchange.Request(method: "GET", endpoint: endpoint, wantsBody: !expected.isEmpty)
      probes.ask(port: port, request, within: timeout, then: then)
    case .tcp(let port): probes.ask(port: port, nil, within: timeout, then: then)
    case .shell(let command): probes.run(spec(command, subject.run), within: timeout, then: then)
    }
  }

  private func isCurrent(_ subject: HealthSubject) -> Bool {
    !subject.isOver && subjects[subject.run.map { Array($0.process.utf8) } ?? []] === subject
  }

  private func take(_ outcome: HealthCounter.Outcome, _ subject: HealthSubject) {
    let before = subject.counter.status
    subject.counter.record(outcome)
    subject.dueAt = Clock.now &+ nanoseconds(subject.check.interval)
    writeReport()
    if subject.counter.status != before { tell(subject) }
    makeDueChecks()
  }

  private func tell(_ subject: HealthSubject) {
    switch (subject.counter.status, subject.run) {
    case (.starting, _): break
    case (.running, nil): probes.tell(.healthy)
    case (.running, let run?): probes.tell(.processHealthy(process: run.process, run: run.run))
    case (.unhealthy(let why), let run):
      subject.dueAt = nil
      probes.tell(run.map { .processUnhealthy(process: $0.process, run: $0.run, why) } ?? .unhealthy(why))
    }
  }

  private func spec(_ command: String, _ run: RunReference?) -> ProcessSpec {
    ProcessSpec(
      process: run?.process ?? "", run: UInt32(run?.run ?? 0), command: .shell(command),
      environment: environment.variables(image: plan.environment, run: run),
      workingDirectory: plan.sandbox, logMode: .direct)
  }

  private func nanoseconds(_ seconds: Double) -> UInt64 { UInt64(min(max(0.001, seconds), 1e9) * 1e9) }

  /// For `status` and `explain`. Nothing depends on it, so a disk that is full is no trouble of the task's.
  private func writeReport() {
    let all = subjects.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value.json)
    try? writeFileAtomically(paths.health, Array(JSON(object: [("health", JSON(all))]).compact.utf8), mode: 0o600)
  }
}
