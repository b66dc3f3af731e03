import ContainerInit
import LaunchModel
import StrictJSON
import TaskModel
import Testing

@testable import Explanation
@testable import TaskStore

/// Whatever the messages of journal and result say: `explain` takes an end for the same.
@Suite struct ExplanationWordsTests {
  /// A task that has ended or has not, and what it is to be taken for.
  struct Case: Sendable, CustomTestStringConvertible {
    let kind: Explanation.Kind
    var processes = #"{"name":"web","cmdline":"x"}"#
    var rest = ""
    var events: [TaskEvent]
    /// Of an end that is no event.
    var verdict: Verdict?
    /// What the machine waits for is passed over.
    var hasEnded = false
    var hasExecutor = true
    var testDescription: String { "\(kind.rawValue): \(events.last.map { "\($0)" } ?? verdict?.message ?? "")" }
  }

  private static func run(_ outcome: RunOutcome) -> [TaskEvent] {
    [
      .containerReady, .forked(process: "web", run: 0), .running(process: "web", run: 0),
      .ended(process: "web", run: 0, outcome),
    ]
  }
  private static func notStarted(_ kind: StartFailure.Kind) -> [TaskEvent] {
    [.containerReady, .ended(process: "web", run: 0, StartFailure(kind, "why", hint: "what helps").outcome)]
  }
  private static let running = Array(run(.exited(0)).dropLast())
  private static let killed = TaskEvent.ended(process: "web", run: 0, .signaled(15))

  private static let cases: [Case] = [
    Case(kind: .finished, events: run(.exited(0))), Case(kind: .running, events: running),
    Case(kind: .ending, events: running + [.stop(.graceful(by: "x", origin: .request))]),
    Case(kind: .abandoned, events: running, hasExecutor: false),
    Case(kind: .lost, events: running + [.containerLost("init was killed")]),
    Case(kind: .stopped, events: running + [.stop(.graceful(by: "x", origin: .signal)), killed]),
    Case(kind: .stopped, events: [.stop(.now(by: "x", origin: .request))]),
    Case(kind: .exitStatus, events: run(.exited(3))), Case(kind: .childSignal, events: run(.exited(139))),
    Case(kind: .signal, events: run(.signaled(11))),
    Case(
      kind: .outOfMemory, events: run(.outOfMemory(signal: 9, exitCode: nil, limitBytes: 1 << 20, peakBytes: 1 << 20))),
    Case(kind: .commandNotFound, events: notStarted(.commandNotFound)),
    Case(kind: .notExecutable, events: notStarted(.notExecutable)),
    Case(kind: .notExecutable, events: notStarted(.isDirectory)),
    Case(kind: .missingInterpreter, events: notStarted(.missingInterpreter)),
    Case(kind: .wrongArchitecture, events: notStarted(.wrongArchitecture)),
    Case(kind: .cannotStart, events: notStarted(.noShell)),
    Case(kind: .cannotStart, events: notStarted(.workingDirectory)),
    Case(kind: .cannotStart, events: notStarted(StartFailure.Kind("of_a_newer_init"))),
    Case(kind: .disk, events: running + [.limitation(reason: Reason.disk, message: "full"), killed], hasEnded: true),
    Case(kind: .health, events: running + [.unhealthy("3 failures in a row"), killed], hasEnded: true),
    Case(kind: .health, events: run(.unhealthy("3 failures in a row"))),
    Case(
      kind: .timeLimit, rest: #","max_completion_time":1"#, events: running + [.timer, killed], hasEnded: true),
    Case(
      kind: .launchFailed, events: [.containerFailed(reason: Reason.launchFailed, message: "why", hint: "what helps")]),
    Case(
      kind: .launchFailed, events: [],
      verdict: Verdict(state: .failed, reason: Reason.launchFailed, message: "why", hint: "what helps")),
    Case(
      kind: .deadlock, events: [], verdict: Verdict(state: .failed, reason: Reason.invalid, message: "a waits for b")),
    Case(
      kind: .other, events: running + [.limitation(reason: Reason.memory, message: "init"), killed], hasEnded: true),
  ]

  /// Words in place of every message; some say what another kind was once known by.
  private static let words = [
    "", "rubbish",
    "built for x; its interpreter; no shell can be started; not found; not executable; is a directory\nhint: from outside",
  ]

  /// The object with other words in all that people read.
  private func garbled(_ members: [(String, JSON?)], _ words: String?) -> JSON {
    guard let words else { return JSON(object: members) }
    let texts: Set<String> = ["message", "hint", "by"]
    return JSON(
      object: members.map { name, value in
        if texts.contains(name), value != nil { return (name, JSON(words)) }
        return (name, name == "notes" ? value?.array.map { JSON($0.map { _ in JSON(words) }) } : value)
      })
  }

  /// What is known of the task from a journal and a result that say it with these words; with their own where there are none.
  private func known(_ test: Case, _ words: String?) throws -> TaskEvidence {
    let text = #"{"name":"t","processes":[\#(test.processes)]\#(test.rest)}"#
    let (document, _) = TaskDocument.decode(Array(text.utf8))
    let (bound, _) = try #require(document).bind(Bindings(taskID: "t-1", role: "r", hostname: "h"))
    let task = try #require(bound)
    var machine = TaskMachine(task, waitsForStrays: false)
    var pending = test.events
    for second in 0..<200 {
      guard !pending.isEmpty else { break }
      let (type, members) = pending.removeFirst().journalForm
      let record = JournalContents.Record(type: type, boot: 0, time: "", json: garbled(members, words))
      let event = try #require(TaskEvent(journal: record))
      for effect in machine.handle(event, at: UInt64(second) * 1_000_000_000) where effect == .killAll {
        pending.insert(.allGone, at: 0)
      }
    }
    var evidence = TaskEvidence(
      task: task, taskID: "t-1", state: machine.state.rawValue, verdict: machine.verdict, notedRuns: machine.notedRuns,
      hasEnded: test.hasEnded || test.verdict != nil || machine.phase == .terminal, hasExecutor: test.hasExecutor,
      phase: machine.phase, processes: machine.processes)
    evidence.initLog = Array((words ?? "its last words").utf8)
    if evidence.hasEnded {
      let verdict = try #require(test.verdict ?? machine.verdict)
      let notes = JSON((verdict.notes + ["a note"]).map { JSON($0) })
      let result = garbled(verdict.members + [("decider", verdict.deciderJSON), ("notes", notes)], words)
      evidence.verdict = Verdict(result: result)
      evidence.state = verdict.state.rawValue
    }
    return evidence
  }

  @Test(arguments: cases) func theKindStays(test: Case) throws {
    let found = Explainer.explain(try known(test, nil))
    #expect(found.kind == test.kind, "\(found.text)")
    for words in Self.words {
      let other = Explainer.explain(try known(test, words))
      #expect(other.kind == test.kind, "\(other.text)")
      #expect((other.reason, other.state) == (found.reason, found.state))
      #expect(other.decider == found.decider)
      #expect(other.next.count == found.next.count, "\(other.next)")
    }
  }

  @Test func everyKindIsThere() {
    #expect(Set(Self.cases.map(\.kind)) == Set(Explanation.Kind.allCases))
  }

  @Test func theEngineIsAskedAboutWhereTheStopCameFromOutsideWhateverItIsCalled() throws {
    for origin in StopOrigin.allCases {
      let stop = TaskEvent.stop(.graceful(by: "somebody", origin: origin))
      for words in Self.words {
        let next = Explainer.explain(
          try known(Case(kind: .stopped, events: Self.running + [stop, Self.killed]), words)
        ).next
        #expect(next.contains { $0.utf8.holds("docker events".utf8) } == (origin == .container))
      }
    }
  }

  @Test func aFailureThatANoteTellsOfIsToldOnceWhateverTheNoteSays() throws {
    let test = Case(
      kind: .finished, processes: #"{"name":"web","cmdline":"x"},{"name":"b","cmdline":"x"}"#,
      rest: #","max_failures":2"#,
      events: Self.run(.exited(4)) + [
        .forked(process: "b", run: 0), .running(process: "b", run: 0), .ended(process: "b", run: 0, .exited(0)),
      ])
    for words in Self.words { #expect(Explainer.explain(try known(test, words)).others == ["`b` finished well"]) }
  }

  /// Two modules have names for one thing, and neither may import the other.
  @Test func theKindsOfAFailedStartHaveOneName() {
    let pairs: [(StartFailureKind, StartFailure.Kind)] = [
      (.commandNotFound, .commandNotFound), (.notExecutable, .notExecutable), (.isDirectory, .isDirectory),
      (.missingInterpreter, .missingInterpreter), (.wrongArchitecture, .wrongArchitecture), (.noShell, .noShell),
      (.setup, .setup), (.other, .other),
    ]
    for (model, wire) in pairs { #expect(model.name == wire.name) }
  }
}
