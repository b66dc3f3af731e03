/// The life of a task as a pure machine: what happened goes in, what is to be done comes out, time is passed in.
///
/// ```
///            containerReady            plan complete, failed, stopped          all ended or deadline
///  starting ───────────────► active ────────────────────────────────► cleaning ─────────────► finalizing ──► terminal
///                               └──────────► stopping (HTTP lifecycle) ──▲     └── no finals, no time ──────────▲
/// ```
///
/// It has no memory but its value: a replay of the same events at the same instants gives the same state, which is how
/// a new executor learns where a task stands. It accepts any event in any state; one that makes no sense has no effect.
package struct TaskMachine: Sendable {
  package enum Phase: String, Sendable, Equatable {
    /// The container is being set up.
    case starting
    /// The regular processes run.
    case active
    /// The task was asked over HTTP to end.
    case stopping
    /// Processes were signalled, and have until the deadline.
    case cleaning
    /// The final processes run, until the same deadline.
    case finalizing
    case terminal
  }

  /// Where the HTTP lifecycle stands.
  enum Step: Sendable, Equatable {
    case idle
    /// A request was sent; `last` is the second of the two.
    case asking(last: Bool)
    /// It was answered; the task has time to end.
    case waiting(last: Bool)
  }

  /// What follows when everything has been killed.
  enum AfterKill: Sendable, Equatable {
    case finals
    case end
  }

  package let task: TaskSpecification
  package internal(set) var phase = Phase.starting
  /// The state last published, or the verdict's.
  package internal(set) var state = TaskState.staging
  /// The instant at which the machine wants to be woken by `.timer`.
  package internal(set) var timer: UInt64?
  /// How the task ends; known from the moment it is decided, before cleaning and finalizing.
  package internal(set) var verdict: Verdict?
  /// Runs whose end the verdict's notes tell of.
  package internal(set) var notedRuns: Set<RunReference> = []

  let maxRuns: Int
  let hasHealthCheck: Bool
  let waitsForStrays: Bool
  var nodes: [PlanNode] = []
  /// By the bytes of the name: two names that only look equal are two processes.
  var indexOfName: [[UInt8]: Int] = [:]
  var regular = Plan()
  var finals = Plan()
  let hasFinals: Bool
  /// Regular processes that failed for good, in the order in which they did.
  var failed: [Int] = []
  var now: UInt64 = 0
  /// Of cleaning and finalizing together.
  var deadline = UInt64.max
  var completionDeadline = UInt64.max
  var stopTimers = Heap<Due>()
  var step = Step.idle
  var stepDeadline = UInt64.max
  var afterKill: AfterKill?
  var killDeadline = UInt64.max
  var straysLeft: Int?
  /// Notes made before there was a verdict to carry them.
  var pendingNotes: [String] = []
  var effects: [TaskEffect] = []

  /// - Parameters:
  ///   - maxRuns: how many runs a process may have; at least 1.
  ///   - health: whether TASK_RUNNING waits for `.healthy`; by default when the task has a health check.
  ///   - waitsForStrays: whether cleaning lasts until `.strays(0)` or its deadline; without it, what is no run of the
  ///     task is killed as soon as the last run has ended.
  package init(
    _ task: TaskSpecification, maxRuns: Int = 100, health: Bool? = nil, waitsForStrays: Bool = false
  ) {
    self.task = task
    self.maxRuns = max(1, maxRuns)
    hasHealthCheck = health ?? (task.healthCheck != nil)
    self.waitsForStrays = waitsForStrays
    hasFinals = task.processes.contains { $0.isFinal }
    nodes.reserveCapacity(task.processes.count)
    for process in task.processes {
      let key = Array(process.name.utf8)
      guard indexOfName[key] == nil else { continue }
      indexOfName[key] = nodes.count
      nodes.append(PlanNode(process))
    }
    for order in task.orders {
      for (earlier, later) in zip(order, order.dropFirst()) { addEdge(from: earlier, to: later) }
    }
    for process in task.processes {
      for earlier in process.after { addEdge(from: earlier.process, to: process.name, earlier.condition) }
    }
    for index in nodes.indices where !nodes[index].definition.isEphemeral {
      self[planOf: index].remaining += 1
    }
    findAwaited()
    for index in nodes.indices where nodes[index].blockers == 0 { makeReady(index) }
  }

  /// Every process in the order of the document, with its runs.
  package var processes: [ProcessRecord] { nodes.map(\.record) }

  /// Whether everything is to be killed, and has not been.
  package var isKilling: Bool { afterKill != nil }

  /// Where the task stands, in one line.
  package var summary: String {
    let runs = processes.map { record in
      record.runs.last.map { "\(record.name) run \($0.number) \($0.state.rawValue)" } ?? "\(record.name) WAITING"
    }
    return "\(state.rawValue), \(phase.rawValue): " + runs.joined(separator: ", ")
  }

  /// One process by name.
  package func record(of name: String) -> ProcessRecord? { index(of: name).map { nodes[$0].record } }

  /// What regular processes that have not started wait for, for people: `web waits until db is healthy`.
  package var waits: [String] {
    guard phase == .active else { return [] }
    var found: [String] = []
    for index in nodes.indices where !nodes[index].definition.isFinal {
      let name = nodes[index].definition.name
      switch nodes[index].stage {
      case .ready: found.append("\(name) waits for a place (max_concurrency \(task.maxConcurrency))")
      case .blocked:
        for earlier in nodes.indices {
          for edge in nodes[earlier].successors where edge.to == index {
            found.append("\(name) waits until \(nodes[earlier].definition.name) \(edge.condition.text)")
          }
        }
      default: break
      }
      if found.count >= 20 { break }
    }
    return found
  }

  /// Runs that were asked for and have not been seen to fork, in the order of the document.
  package var outstandingStarts: [RunReference] {
    liveNodes.filter { nodes[$0].record.runs.last?.state == .waiting }.map { nodes[$0].lastRun }
  }

  /// Runs that were asked for and have not ended, in the order of the document.
  package var liveRuns: [RunReference] { liveNodes.map { nodes[$0].lastRun } }

  /// Has the image's own command asked to end by what the image says, which is known when there is one. Processes of the
  /// document say it themselves.
  package mutating func useStopSignal(_ signal: Int32) {
    for index in nodes.indices where nodes[index].definition.command == nil {
      nodes[index].definition.stopSignal = signal
    }
  }

  /// Takes one event and says what is to be done now. What had fallen due before is done first.
  ///
  /// - Parameter instant: nanoseconds of a monotonic clock; one that lies before the last is taken as the last.
  package mutating func handle(_ event: TaskEvent, at instant: UInt64) -> [TaskEffect] {
    guard phase != .terminal else { return [] }
    catchUp(to: instant)
    now = max(now, instant)
    apply(event)
    advance()
    let wanted = nextInstant
    // A timer that has fired, or that another executor had set, is set anew even for the same instant.
    let isUnset = event == .timer || event == .resumed
    if wanted != timer || (isUnset && wanted != nil) {
      timer = wanted
      effects.append(.setTimer(wanted))
    }
    // The end of the task is the last thing said.
    if phase == .terminal, let verdict { effects.append(.finish(verdict)) }
    defer { effects = [] }
    return effects
  }

  /// Does first what fell due before this instant, each at its own, so that a record without timers replays as it was.
  private mutating func catchUp(to instant: UInt64) {
    while let due = nextInstant, due <= instant {
      now = max(now, due)
      let before = phase
      advance()
      if nextInstant == due, phase == before { return }
    }
  }

  private mutating func apply(_ event: TaskEvent) {
    switch event {
    case .containerReady: containerReady()
    case .containerFailed(let reason, let message, let hint):
      containerFailed(reason: reason, message: message, hint: hint)
    case .containerLost(let why): containerLost(why)
    case .forked(let process, let run): forked(process, run)
    case .running(let process, let run): running(process, run)
    case .ended(let process, let run, let outcome): ended(process, run, outcome)
    case .healthy: healthy()
    case .unhealthy(let why): unhealthy(why)
    case .processHealthy(let process, let run): processHealthy(process, run)
    case .processUnhealthy(let process, let run, let why): processUnhealthy(process, run, why)
    case .limitation(let reason, let message): limitation(reason: reason, message: message)
    case .stop(let request): stop(request)
    case .restart(let process, _): restart(process)
    case .lifecycleAnswered(let handled): lifecycleAnswered(handled: handled)
    case .strays(let count): if phase == .cleaning { straysLeft = count }
    case .allGone: allGone()
    case .timer: break
    case .resumed: resumed()
    }
  }

  /// Does everything that has become possible or due.
  private mutating func advance() {
    while true {
      let before = (phase, step, afterKill)
      switch phase {
      case .starting, .terminal: return
      case .active: advanceActive()
      case .stopping: advanceStopping()
      case .cleaning: advanceCleaning()
      case .finalizing: advanceFinalizing()
      }
      if before == (phase, step, afterKill) { return }
    }
  }

  /// The earliest instant at which something falls due.
  private var nextInstant: UInt64? {
    var instant = UInt64.max
    switch phase {
    case .starting, .terminal: return nil
    case .active: instant = min(completionDeadline, regular.gates.first?.at ?? .max, stopTimers.first?.at ?? .max)
    case .stopping: instant = min(stepDeadline, stopTimers.first?.at ?? .max)
    case .cleaning where afterKill == nil: instant = min(deadline, stopTimers.first?.at ?? .max)
    case .finalizing where afterKill == nil:
      instant = min(deadline, finals.gates.first?.at ?? .max, stopTimers.first?.at ?? .max)
    case .cleaning, .finalizing: instant = killDeadline
    }
    return instant == .max ? nil : instant
  }

  // MARK: Small things used by the parts of the machine

  func index(of name: String) -> Int? { indexOfName[Array(name.utf8)] }

  var liveNodes: [Int] { (Array(regular.live) + Array(finals.live)).sorted() }

  subscript(planOf index: Int) -> Plan {
    get { nodes[index].definition.isFinal ? finals : regular }
    _modify {
      if nodes[index].definition.isFinal { yield &finals } else { yield &regular }
    }
  }

  /// The instant so many seconds from now; the end of time when it lies beyond.
  func instant(after seconds: Double) -> UInt64 {
    let nanoseconds = (max(0, seconds) * 1e9).rounded()
    guard nanoseconds < 0x1p63 else { return .max }
    let (sum, overflow) = now.addingReportingOverflow(UInt64(nanoseconds))
    return overflow ? .max : sum
  }

  private mutating func addEdge(
    from earlier: String, to later: String, _ condition: Prerequisite.Condition = .finished
  ) {
    guard let first = index(of: earlier), let second = index(of: later) else { return }
    nodes[first].successors.append(Edge(to: second, condition: condition))
    nodes[second].blockers += 1
  }

  /// Marks what processes that have to end wait for, from those backwards.
  private mutating func findAwaited() {
    var predecessors = [[Int]](repeating: [], count: nodes.count)
    for index in nodes.indices { for edge in nodes[index].successors { predecessors[edge.to].append(index) } }
    var pending = nodes.indices.filter { !nodes[$0].definition.isEphemeral }
    while let index = pending.popLast() {
      for earlier in predecessors[index] where !nodes[earlier].isAwaited {
        nodes[earlier].isAwaited = true
        // One that has to end itself is where the search began.
        if nodes[earlier].definition.isEphemeral { pending.append(earlier) }
      }
    }
  }
}
