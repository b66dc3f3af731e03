import TaskModel

/// Holds a machine to its rules, event by event.
struct Referee {
  private(set) var machine: TaskMachine
  private(set) var events: [(event: TaskEvent, at: UInt64)] = []
  var wantsEverythingKilled = false
  private let task: TaskSpecification
  private let definitions: [String: ProcessDefinition]
  private let maxRuns: Int
  private var isOver = false
  private var timer: UInt64?

  init(_ task: TaskSpecification, _ machine: TaskMachine, maxRuns: Int) {
    self.task = task
    self.machine = machine
    self.maxRuns = maxRuns
    definitions = Dictionary(uniqueKeysWithValues: task.processes.map { ($0.name, $0) })
  }

  mutating func send(_ event: TaskEvent, at instant: UInt64) {
    events.append((event, instant))
    let before = machine
    let effects = machine.handle(event, at: instant)
    promise(!isOver || effects.isEmpty, "something after the end: \(effects)")
    for effect in effects { judge(effect, before) }
    promise(timer == machine.timer || machine.phase == .terminal, "a timer that was not asked for")
    promise(isOver == (machine.phase == .terminal), "the end is not told, or told too early")
    checkRuns()
    // A run that is reported to have forked without having been asked for exists: it is taken over above the bound. A
    // new executor is asked for what was asked for before.
    if case .forked = event { return }
    if case .resumed = event { return }
    let started = effects.contains { if case .start = $0 { true } else { false } }
    if started, task.maxConcurrency > 0 {
      let live = machine.liveRuns.count { definitions[$0.process]?.isFinal == (machine.phase == .finalizing) }
      promise(live <= task.maxConcurrency, "starts something, and \(live) run at once")
    }
  }

  private mutating func judge(_ effect: TaskEffect, _ before: TaskMachine) {
    promise(!isOver, "an effect after finish: \(effect)")
    switch effect {
    case .start(let process, let run):
      guard let definition = definitions[process] else { return promise(false, "starts \(process), which is none") }
      promise(run < maxRuns, "\(process) run \(run) exceeds the cap of \(maxRuns)")
      let runs = before.record(of: process)?.runs ?? []
      promise(runs.allSatisfy { $0.number < run || $0.state == .waiting }, "\(process) run \(run) is started twice")
      if definition.isFinal {
        promise(machine.verdict != nil, "\(process) is final and starts before the end is decided")
      } else {
        promise(before.phase == .active || before.phase == .starting, "\(process) starts while the task ends")
      }
    case .killAll: wantsEverythingKilled = true
    case .setTimer(let instant): timer = instant
    case .finish(let verdict):
      isOver = true
      promise(verdict.state.isTerminal, "ends as \(verdict.state)")
      promise(!verdict.message.isEmpty, "ends without a message")
    case .terminate, .terminateStrays, .lifecycle, .update: break
    }
  }

  private func checkRuns() {
    var left = 0
    for record in machine.processes {
      promise(record.runs.indices.allSatisfy { record.runs[$0].number == $0 }, "\(record.name) has runs out of order")
      let live = record.runs.filter { !$0.state.isTerminal }.count
      promise(live <= 1, "\(record.name) runs \(live) times at once")
      promise(record.runs.count <= maxRuns, "\(record.name) has \(record.runs.count) runs")
      left += live
    }
    promise(!isOver || left == 0, "\(left) runs are left when the task has ended")
  }
}
