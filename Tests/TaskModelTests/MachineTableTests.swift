import Testing

@testable import TaskModel

/// What every event does in every situation of a task.
///
/// The task has a process `a` with a health check of its own, `b` that waits for it to be healthy, a final process `f`,
/// a health check and an HTTP lifecycle. A cell names the phase afterwards, where it is another, and what the machine wants.
@Suite struct MachineTableTests {
  private static let situations: [(name: String, make: @Sendable () -> MachineHarness)] = [
    ("starting", { MachineHarness(subject) }),
    ("active", { active() }),
    ("asking", { after(.stop(.graceful(by: "x"))) }),
    ("waiting", { after(.stop(.graceful(by: "x")), .lifecycleAnswered(handled: true)) }),
    ("cleaning", { after(toCleaning) }),
    ("killing", { after(toCleaning + [.ended(process: "a", run: 0, .exited(0))]) }),
    ("finalizing", { after(toFinals) }),
    ("ending", { after(toFinals + [.ended(process: "f", run: 0, .exited(0))]) }),
    ("terminal", { after(toFinals + [.ended(process: "f", run: 0, .exited(0)), .allGone]) }),
  ]
  private static let toCleaning: [TaskEvent] = [
    .stop(.graceful(by: "x")), .lifecycleAnswered(handled: false), .lifecycleAnswered(handled: false),
  ]
  private static let toFinals: [TaskEvent] =
    toCleaning + [
      .ended(process: "a", run: 0, .exited(0)), .allGone, .forked(process: "f", run: 0), .running(process: "f", run: 0),
    ]

  private static var subject: TaskSpecification {
    var a = process("a")
    a.healthCheck = HealthCheck(probe: .tcp(port: 1))
    var b = process("b")
    b.after = [Prerequisite("a", .healthy)]
    var subject = task(a, b, process("f", final: true))
    subject.healthCheck = HealthCheck(probe: .tcp(port: 2))
    subject.lifecycle = HTTPLifecycle(port: 3)
    return subject
  }

  private static func active() -> MachineHarness {
    var harness = MachineHarness(subject)
    harness.send(.containerReady)
    harness.run("a")
    return harness
  }

  private static func after(_ events: TaskEvent...) -> MachineHarness { after(events) }

  private static func after(_ events: [TaskEvent]) -> MachineHarness {
    var harness = active()
    for event in events { harness.send(event, at: 1) }
    return harness
  }

  private static let events: [(name: String, event: TaskEvent)] = [
    ("container ready", .containerReady),
    ("container failed", .containerFailed(reason: "R", message: "m")),
    ("container lost", .containerLost("m")),
    ("a forked", .forked(process: "a", run: 0)),
    ("a running", .running(process: "a", run: 0)),
    ("a succeeds", .ended(process: "a", run: 0, .exited(0))),
    ("a fails", .ended(process: "a", run: 0, .exited(1))),
    ("f succeeds", .ended(process: "f", run: 0, .exited(0))),
    ("f fails", .ended(process: "f", run: 0, .exited(1))),
    ("unknown ends", .ended(process: "z", run: 0, .exited(0))),
    ("healthy", .healthy),
    ("unhealthy", .unhealthy("m")),
    ("a healthy", .processHealthy(process: "a", run: 0)),
    ("a unhealthy", .processUnhealthy(process: "a", run: 0, "m")),
    ("limitation", .limitation(reason: "R", message: "m")),
    ("stop", .stop(.graceful(by: "y"))),
    ("stop now", .stop(.now(by: "y"))),
    ("request taken", .lifecycleAnswered(handled: true)),
    ("request not taken", .lifecycleAnswered(handled: false)),
    ("no strays", .strays(0)),
    ("all gone", .allGone),
    ("timer", .timer),
    ("resumed", .resumed),
  ]

  private static func cell(_ harness: MachineHarness, _ event: TaskEvent) -> String {
    var harness = harness
    let before = (harness.machine.phase, harness.machine.state)
    // Late enough for every deadline when it is the timer, else at once.
    let effects = harness.send(event, at: event == .timer ? 1000 : 2)
    var words: [String] = []
    if harness.machine.phase != before.0 { words.append("→\(harness.machine.phase)") }
    for effect in effects {
      switch effect {
      case .start(let process, let run): words.append("start \(process)\(run)")
      case .terminate(let process, let run, let signal):
        words.append("\(SignalName.name(of: signal).dropFirst(3)) \(process)\(run)")
      case .terminateStrays: words.append("TERM strays")
      case .killAll: words.append("KILL all")
      case .lifecycle(let endpoint): words.append("POST \(endpoint.prefix(5))")
      case .update(let state, _, _): words.append(state.rawValue)
      case .finish(let verdict): words.append(verdict.state.rawValue)
      case .setTimer: break
      }
    }
    return words.joined(separator: ", ")
  }

  /// `event | situation | what comes of it`; a pair that is not listed does nothing at all.
  private static let expected = """
    container ready | starting | →active, TASK_STARTING, start a0
    container failed | starting | →terminal, TASK_FAILED
    container failed | active | →terminal, TASK_LOST
    container failed | asking | →terminal, TASK_KILLED
    container failed | waiting | →terminal, TASK_KILLED
    container failed | cleaning | →terminal, TASK_KILLED
    container failed | killing | →terminal, TASK_KILLED
    container failed | finalizing | →terminal, TASK_KILLED
    container failed | ending | →terminal, TASK_KILLED
    container lost | starting | →terminal, TASK_LOST
    container lost | active | →terminal, TASK_LOST
    container lost | asking | →terminal, TASK_KILLED
    container lost | waiting | →terminal, TASK_KILLED
    container lost | cleaning | →terminal, TASK_KILLED
    container lost | killing | →terminal, TASK_KILLED
    container lost | finalizing | →terminal, TASK_KILLED
    container lost | ending | →terminal, TASK_KILLED
    a succeeds | active | →cleaning, TERM strays, KILL all
    a succeeds | asking | →cleaning, TERM strays, KILL all
    a succeeds | waiting | →cleaning, TERM strays, KILL all
    a succeeds | cleaning | KILL all
    a fails | active | →cleaning, TERM strays, KILL all
    a fails | asking | →cleaning, TERM strays, KILL all
    a fails | waiting | →cleaning, TERM strays, KILL all
    a fails | cleaning | KILL all
    f succeeds | finalizing | KILL all
    f fails | finalizing | KILL all
    healthy | active | TASK_RUNNING
    unhealthy | active | →stopping, POST /quit
    a healthy | active | start b0
    a unhealthy | active | TERM a0
    limitation | starting | →terminal, TASK_FAILED
    limitation | active | →stopping, POST /quit
    stop | starting | →terminal, TASK_KILLED
    stop | active | →stopping, POST /quit
    stop now | starting | →terminal, TASK_KILLED
    stop now | active | →cleaning, KILL all
    stop now | asking | →cleaning, KILL all
    stop now | waiting | →cleaning, KILL all
    stop now | cleaning | KILL all
    stop now | finalizing | KILL all
    request not taken | asking | POST /abor
    all gone | killing | →finalizing, start f0
    all gone | ending | →terminal, TASK_KILLED
    timer | asking | →terminal, POST /abor, TERM a0, TERM strays, KILL all, TASK_KILLED
    timer | waiting | →terminal, POST /abor, TERM a0, TERM strays, KILL all, TASK_KILLED
    timer | cleaning | →terminal, KILL all, TASK_KILLED
    timer | killing | →terminal, TASK_KILLED
    timer | finalizing | →terminal, KILL all, TASK_KILLED
    timer | ending | →terminal, TASK_KILLED
    resumed | asking | POST /quit
    resumed | cleaning | TERM a0, TERM strays
    resumed | killing | KILL all
    resumed | ending | KILL all
    """

  @Test func everyEventInEverySituation() {
    var found: [String] = []
    for (name, event) in Self.events {
      for situation in Self.situations {
        let cell = Self.cell(situation.make(), event)
        if !cell.isEmpty { found.append("\(name) | \(situation.name) | \(cell)") }
      }
    }
    let wanted = Self.expected.split(separator: "\n").map(String.init)
    for row in wanted where !found.contains(row) { Issue.record("no longer so: \(row)") }
    for row in found where !wanted.contains(row) { Issue.record("new: \(row)") }
  }
}
