/// What processes do in a simulation, as a line of text.
///
/// ```
/// script    = statement *( ";" statement )
/// statement = NAME ":" act *( "@" TIME | "x" COUNT | "stops" TIME | "stops never" )   what a run of the process does
///           | happening "@" TIME                                                      what happens to the task
/// act       = "exit" CODE | "signal" NAME | "oom" | "cannot start" | "lost" | "runs"
///           | "healthy" | "unhealthy"
/// happening = "ready" | "stop" | "kill" | "healthy" | "unhealthy" | "disk" | "container lost" | "container failed"
/// ```
///
/// `web: exit 1 @3s x2; db: healthy @5s; kill @40s`: the first two runs of `web` end with 1 after three seconds; the task
/// is healthy five seconds after `db` first started; it is killed after forty. Where `db` has a health check of its own,
/// it is each run of `db` that is healthy after five seconds, and one that nothing is said about is so at once. Several statements about a process hold
/// one after the other, each for one run or for as many as `x` says; the last without `x` holds from then on.
/// A process that no statement is about ends with 0 after a second, a daemon runs until it is told to end. `stops` says
/// how long a run takes to end after it was signalled. Times are `250ms`, `3s`, `2m`, `1h`; a name with a blank or a sign
/// stands in double quotes.
package struct SimulationScript: Sendable, Equatable {
  /// What one run does.
  package struct Act: Sendable, Equatable {
    /// nil: it goes on until it is told to end.
    package var outcome: RunOutcome?
    /// Nanoseconds from the start of the run to its end.
    package var after: UInt64 = 1_000_000_000
    /// For how many runs it holds; nil: from then on, or for one when another statement follows.
    package var count: Int?
    /// Nanoseconds from a signal to the end; nil: only SIGKILL ends it.
    package var stopsIn: UInt64? = 0
  }

  /// What happens to the task as a whole.
  package struct Happening: Sendable, Equatable {
    package enum What: String, Sendable, CaseIterable {
      case ready
      case stop
      case kill
      case healthy
      case unhealthy
      case disk
      case containerLost = "container lost"
      case containerFailed = "container failed"
    }

    package var what: What
    package var at: UInt64
    /// The process from whose first start the time counts; nil: from the beginning.
    package var process: String?
  }

  /// By the bytes of the process's name, in the order of the script.
  package private(set) var acts: [[UInt8]: [Act]] = [:]
  package private(set) var happenings: [Happening] = []

  /// - Parameter processes: the names that the script may use.
  package init(_ text: String, processes: [String]) throws(SimulationScriptError) {
    var scanner = ScriptScanner(text)
    let known = Set(processes.map { Array($0.utf8) })
    while let first = try scanner.word() {
      if first == .semicolon { continue }
      guard case .text(let word) = first else { throw scanner.failure("expected the name of a process or an event") }
      let place = scanner
      if try scanner.take(.colon) {
        guard known.contains(Array(word.utf8)) else {
          let nearest = NearestKey.find(word, among: processes)
          let hint = nearest.map { "; did you mean \($0.quotedForMessage)?" } ?? ""
          throw place.failure("no process is named \(word.quotedForMessage)\(hint)")
        }
        try readAct(of: word, &scanner)
      } else {
        happenings.append(try Self.readHappening(word, process: nil, &scanner))
      }
      guard try scanner.take(.semicolon) || scanner.isAtEnd else {
        _ = try scanner.word()
        throw scanner.failure("expected \";\"")
      }
    }
  }

  /// What the run of a process with this number does; nil when the script does not say.
  package func act(of process: String, run: Int) -> Act? {
    guard let acts = acts[Array(process.utf8)] else { return nil }
    var left = run
    for (index, act) in acts.enumerated() {
      guard let count = act.count ?? (index == acts.count - 1 ? nil : 1) else { return act }
      if left < count { return act }
      left -= count
    }
    return nil
  }

  private mutating func readAct(of process: String, _ scanner: inout ScriptScanner) throws(SimulationScriptError) {
    guard case .text(let verb)? = try scanner.word() else { throw scanner.failure("expected what the process does") }
    if verb == "healthy" || verb == "unhealthy" {
      happenings.append(try Self.readHappening(verb, process: process, &scanner))
      return
    }
    var act = Act()
    switch verb {
    case "exit": act.outcome = .exited(Int32(try scanner.number(upTo: 255)))
    case "signal":
      guard case .text(let name)? = try scanner.word(), let signal = SignalName.number(of: name) else {
        throw scanner.failure("expected a signal, as SIGSEGV")
      }
      act.outcome = .signaled(signal)
    case "oom": act.outcome = .outOfMemory(signal: SignalName.kill, exitCode: nil, limitBytes: 0, peakBytes: 0)
    case "cannot":
      guard try scanner.take(.text("start")) else { throw scanner.failure("expected \"cannot start\"") }
      act.outcome = .cannotStart(.other, reason: "simulated", hint: nil)
      act.after = 0
    case "lost": act.outcome = .lost("simulated")
    case "runs": act.outcome = nil
    default:
      throw scanner.failure("\(verb.quotedForMessage) is none of exit, signal, oom, cannot start, lost, runs")
    }
    while !scanner.isAtEnd, try !scanner.isNext(.semicolon) {
      if try scanner.take(.at) {
        act.after = try scanner.time()
      } else if case .text(let word)? = try scanner.word() {
        if word == "stops" {
          act.stopsIn = try scanner.take(.text("never")) ? nil : try scanner.time()
        } else if let count = ScriptScanner.count(word) {
          act.count = count
        } else {
          throw scanner.failure("expected @TIME, xCOUNT or stops, found \(word.quotedForMessage)")
        }
      } else {
        throw scanner.failure("expected @TIME, xCOUNT or stops")
      }
    }
    acts[Array(process.utf8), default: []].append(act)
  }

  private static func readHappening(
    _ first: String, process: String?, _ scanner: inout ScriptScanner
  ) throws(SimulationScriptError) -> Happening {
    var name = first
    if name == "container", case .text(let second)? = try scanner.word() { name += " " + second }
    guard let what = Happening.What(rawValue: name) else {
      let known = Happening.What.allCases.map(\.rawValue).joined(separator: ", ")
      throw scanner.failure("\(name.quotedForMessage) is none of \(known)")
    }
    guard try scanner.take(.at) else { throw scanner.failure("expected @TIME after \(name)") }
    return Happening(what: what, at: try scanner.time(), process: process)
  }
}

/// Why a script cannot be read, with the column of its text.
package struct SimulationScriptError: Error, Sendable, Equatable, CustomStringConvertible {
  /// From 1, in characters.
  package let column: Int
  package let message: String
  package var description: String { "column \(column): \(message)" }
}
