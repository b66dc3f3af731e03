/// How a run of a process ended, as it was seen.
package enum RunOutcome: Sendable, Equatable {
  case exited(Int32)
  case signaled(Int32)
  /// The kernel's OOM killer took a process of the task and this run ended because of it.
  /// `limitBytes` and `peakBytes` are 0 when they are not known.
  case outOfMemory(signal: Int32?, exitCode: Int32?, limitBytes: UInt64, peakBytes: UInt64)
  /// The command never ran: no shell, no directory, a bad interpreter.
  case cannotStart(StartFailureKind, reason: String, hint: String?)
  /// Its health check gave it up, and it was told to end.
  case unhealthy(String)
  /// It cannot be known how it ended.
  case lost(String)

  /// Whether that is a success of this process.
  package func isSuccess(of process: ProcessDefinition) -> Bool {
    if case .exited(let code) = self { process.successExitCodes.contains(code) } else { false }
  }

  /// What may help, where that is known.
  package var hint: String? { if case .cannotStart(_, _, let hint) = self { hint } else { nil } }

  /// `text` with the hint, for where that has no place of its own.
  package var textWithHint: String { text + (hint.map { " (\($0))" } ?? "") }

  /// For people: `exit status 3`, `killed by SIGSEGV`, `out of memory: 512 MiB limit, 512 MiB peak`.
  package var text: String {
    switch self {
    case .exited(let status): return "exit status \(status)"
    case .signaled(let signal): return "killed by \(SignalName.name(of: signal))"
    case .outOfMemory(_, _, 0, 0): return "out of memory"
    case .outOfMemory(_, _, let limit, let peak):
      return "out of memory: \(Quantity.bytes(limit)) limit, \(Quantity.bytes(peak)) peak"
    case .cannotStart(_, let reason, _): return "cannot start: \(reason)"
    case .unhealthy(let why): return "unhealthy: \(why)"
    case .lost(let why): return "lost: \(why)"
    }
  }
}

/// Which kind of failure kept a command from being executed, by the name that container-init has for it. It may be newer than
/// these.
package struct StartFailureKind: Sendable, Equatable {
  package let name: String
  package init(_ name: String) { self.name = name }

  package static let commandNotFound = StartFailureKind("command_not_found")
  package static let notExecutable = StartFailureKind("not_executable")
  package static let isDirectory = StartFailureKind("is_directory")
  package static let missingInterpreter = StartFailureKind("missing_interpreter")
  package static let wrongArchitecture = StartFailureKind("wrong_architecture")
  package static let noShell = StartFailureKind("no_shell")
  /// What comes before the command could not be done.
  package static let setup = StartFailureKind("setup")
  /// Anything else; also where it was not told.
  package static let other = StartFailureKind("other")
}

/// Quantities as people read them.
package enum Quantity {
  /// `512 MiB`, `1.5 GiB`, `37 B`: one decimal at most, rounded down, none when it is zero.
  package static func bytes(_ count: UInt64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var unit = 0
    while unit + 1 < units.count, count >> (10 * UInt64(unit + 1)) > 0 { unit += 1 }
    let shift = 10 * UInt64(unit)
    let whole = count >> shift
    guard unit > 0 else { return "\(whole) B" }
    // The remainder is below one unit, so ten times its upper ten bits cannot overflow.
    let tenths = ((count >> (shift - 10)) & 1023) * 10 / 1024
    return tenths == 0 ? "\(whole) \(units[unit])" : "\(whole).\(tenths) \(units[unit])"
  }

  /// `30 s`, `0.2 s`: seconds without needless digits.
  package static func seconds(_ seconds: Double) -> String {
    if let whole = Int64(exactly: seconds) { return "\(whole) s" }
    guard seconds.magnitude < 1e12 else { return "\(seconds) s" }
    let thousandths = Int64((seconds * 1000).rounded())
    var fraction = String(thousandths.magnitude % 1000 + 1000).utf8.dropFirst()
    while fraction.last == 0x30 { fraction = fraction.dropLast() }
    let whole = "\(thousandths < 0 ? "-" : "")\(thousandths.magnitude / 1000)"
    return fraction.isEmpty ? "\(whole) s" : "\(whole).\(Substring(fraction)) s"
  }
}
