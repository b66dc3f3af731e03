import ContainerInit
import LinuxKernel
import TaskModel

/// Why one run of a process ended, from how it ended and what its shell said last.
struct RunCause {
  var kind: Explanation.Kind
  /// What happened to it: goes behind `process web run 2`.
  var text: String
  var evidence: [String] = []
  var next: [String] = []

  init(_ outcome: RunOutcome, _ evidence: TaskEvidence) {
    switch outcome {
    case .exited(let status): self = RunCause.exited(status, evidence)
    case .signaled(let signal): self = RunCause.signaled(signal)
    case .outOfMemory(let signal, let status, let limit, let peak):
      self = RunCause.outOfMemory(signal, status, limit, peak, evidence.task.resources?.ram)
    case .cannotStart(let kind, let reason, let hint): self = RunCause.cannotStart(kind, reason, hint)
    case .unhealthy(let why):
      self = RunCause(
        .health, "was ended because it was unhealthy: \(printable(why.utf8))",
        evidence.checkWords(of: evidence.verdict?.decider?.process),
        next: evidence.checkAdvice(
          evidence.task.processes.first { $0.name == evidence.verdict?.decider?.process }?.healthCheck))
    case .lost(let why):
      self.init(.lost, "is lost: \(why)", ["It cannot be known how it ended"])
    }
  }

  init(_ kind: Explanation.Kind, _ text: String, _ evidence: [String] = [], next: [String] = []) {
    self.kind = kind
    self.text = text
    self.evidence = evidence
    self.next = next
  }

  // MARK: Exit statuses

  private static func exited(_ status: Int32, _ evidence: TaskEvidence) -> RunCause {
    let ended = "ended with exit status \(status)"
    if let complaint = ShellComplaint(exitStatus: status, stderr: evidence.stderr) {
      return shell(complaint, ended, evidence)
    }
    switch status {
    case 126:
      return RunCause(
        .notExecutable, ended, ["A shell ends so when it found a command and could not execute it"],
        next: ["check the mode, the format and the interpreter of what the command line starts"])
    case 127:
      return RunCause(
        .commandNotFound, ended, ["A shell ends so when it does not find a command"] + searched(evidence),
        next: ["check that the command is there and that PATH leads to it"])
    case 129...192:
      let signal = status - 128
      return RunCause(
        .childSignal, ended,
        ["That is how a shell reports that its command was killed by \(SignalName.name(of: signal))"]
          + [meaning(of: signal)].compactMap { $0 },
        next: advice(signal))
    default: return RunCause(.exitStatus, ended)
    }
  }

  private static func shell(_ complaint: ShellComplaint, _ ended: String, _ evidence: TaskEvidence) -> RunCause {
    let path = "`\(printable(complaint.path))`"
    let place = evidence.image.map { "in the image \(printable($0.utf8))" } ?? "on this host"
    switch complaint {
    case .notFound(let name):
      // env(1) escapes the carriage return of a `#!/usr/bin/env bash` line.
      if let interpreter = RunCause.windowsName(name) {
        return windows("the interpreter `\(printable(interpreter))` of a script is not there", ended)
      }
      guard name.contains(UInt8(ascii: "/")) else {
        return RunCause(
          .commandNotFound, "\(ended): the shell did not find the command \(path)", searched(evidence),
          next: ["install \(path) \(place), correct its name, or give its whole path"])
      }
      // For a file that is there the kernel says the same when it lacks what the file needs.
      switch evidence.program {
      case .absent:
        return RunCause(
          .commandNotFound, "\(ended): there is no \(path)",
          next: ["correct the path, or put the file there (\(place), or in the sandbox)"])
      case .directory: return directory(path, ended)
      case .present(let head): return missing(path, head, ended, place)
      case nil:
        return RunCause(
          .commandNotFound, "\(ended): the shell could not start \(path)",
          ["Either it is not there, or the interpreter or the loader that it names is not"],
          next: ["check both \(place)"])
      }
    case .needsMissingFile: return missing(path, evidence.programHead, ended, place)
    case .badInterpreter(_, let interpreter):
      let cause = "the interpreter `\(printable(interpreter))` of the script \(path) is not there"
      if windowsName(interpreter) != nil { return windows(cause, ended) }
      return RunCause(
        .missingInterpreter, "\(ended): \(cause)",
        next: ["install `\(printable(interpreter))` \(place), or start the script with an interpreter that is there"])
    case .wrongFormat:
      if let head = evidence.programHead, let machine = head.machine, head.isForeign {
        return RunCause(
          .wrongArchitecture, "\(ended): \(path) is built for \(machine), which this host is not",
          next: ["use an image or a program built for this host's architecture"])
      }
      return RunCause(
        .wrongArchitecture, "\(ended): \(path) is no program that this host can run",
        ["It is built for another architecture, damaged, or a script without a `#!` line"],
        next: ["look at it with file(1)"])
    case .notPermitted:
      if evidence.program == .directory { return directory(path, ended) }
      return RunCause(
        .notExecutable, "\(ended): \(path) may not be executed",
        ["It or a directory on the way is closed to the role, or its file system is mounted noexec"],
        next: ["`chmod +x` it where it is made, or start it with its interpreter"])
    case .directory: return directory(path, ended)
    }
  }

  private static func directory(_ path: String, _ ended: String) -> RunCause {
    RunCause(.notExecutable, "\(ended): \(path) is a directory", next: ["correct the path"])
  }

  /// A name that ends with a carriage return, as it is or as env(1) shows it; without it.
  private static func windowsName(_ name: [UInt8]) -> [UInt8]? {
    if name.last == 0x0d { return Array(name.dropLast()) }
    return name.suffix(2).elementsEqual(#"\r"#.utf8) ? Array(name.dropLast(2)) : nil
  }

  private static func windows(_ cause: String, _ ended: String) -> RunCause {
    RunCause(
      .missingInterpreter, "\(ended): \(cause)",
      ["The carriage return at its end is part of the name: the script has lines as Windows ends them"],
      next: ["write the script with plain newlines"])
  }

  private static func missing(_ path: String, _ head: ProgramHead?, _ ended: String, _ place: String) -> RunCause {
    guard let interpreter = head?.interpreter else {
      return RunCause(
        .missingInterpreter, "\(ended): \(path) is there, and something that it needs to be started is not",
        next: ["look for its interpreter or its loader \(place)"])
    }
    let name = "`\(printable(interpreter))`"
    if head?.isScript == true {
      if windowsName(interpreter) != nil {
        return windows("the script \(path) is there, and its interpreter \(name) is not", ended)
      }
      return RunCause(
        .missingInterpreter, "\(ended): the script \(path) is there, and its interpreter \(name) is not",
        next: ["install \(name) \(place), or start the script with an interpreter that is there"])
    }
    return RunCause(
      .missingInterpreter, "\(ended): \(path) is there, and its loader \(name) is not",
      ["It is linked dynamically, for another C library or distribution than there is \(place)"],
      next: ["link it statically, or use an image that has \(name)"])
  }

  private static func searched(_ evidence: TaskEvidence) -> [String] {
    evidence.searchPath.map { ["PATH was \(printable($0.utf8))"] } ?? []
  }

  // MARK: Signals

  private static func signaled(_ signal: Int32) -> RunCause {
    RunCause(
      .signal, "was killed by \(SignalName.name(of: signal))", meaning(of: signal).map { [$0] } ?? [],
      next: advice(signal))
  }

  /// What a signal that the executor did not send tells.
  private static func meaning(of signal: Int32) -> String? {
    switch SignalName.name(of: signal) {
    case "SIGSEGV", "SIGBUS": "The program read or wrote memory that it may not: a fault of its own"
    case "SIGILL": "The program met an instruction that this processor does not have: a fault, or built for a newer one"
    case "SIGFPE": "The program divided by zero or the like"
    case "SIGTRAP": "The program ran into a trap, as a failed check of its runtime sets one"
    case "SIGABRT": "The program gave up by itself, as after a failed assertion"
    case "SIGKILL":
      "The executor did not send it, and no kill for want of memory was counted in the task's limits: another process "
        + "with the right to did, or the whole host was out of memory"
    case "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM":
      "The executor did not send it: another process did, or the program itself"
    case "SIGPIPE": "It wrote to a pipe or a connection whose other end was closed"
    case "SIGSYS": "It made a system call that a seccomp filter forbids"
    case "SIGXCPU": "It used up its limit of processor time (RLIMIT_CPU)"
    case "SIGXFSZ": "It wrote a file beyond its limit (RLIMIT_FSIZE)"
    default: nil
    }
  }

  private static func advice(_ signal: Int32) -> [String] {
    switch SignalName.name(of: signal) {
    case "SIGKILL": ["the kernel's log says whether the host ran out of memory: `dmesg | grep -i oom`"]
    case "SIGXCPU", "SIGXFSZ": ["raise the limit in rlimit_info"]
    default: []
    }
  }

  private static func outOfMemory(
    _ signal: Int32?, _ status: Int32?, _ limit: UInt64, _ peak: UInt64, _ asked: Int64?
  ) -> RunCause {
    var text =
      signal != nil
      ? "was killed by the kernel because the task reached its memory limit"
      : "ended with exit status \(status ?? 0) after the kernel had killed one of its processes because the task "
        + "reached its memory limit"
    if limit > 0 { text += " of \(Quantity.bytes(limit)) (peak \(Quantity.bytes(peak)))" }
    let now = limit > 0 ? limit : UInt64(clamping: asked ?? 0)
    return RunCause(
      .outOfMemory, text,
      next: [
        now > 0
          ? "raise resources.ram above \(Quantity.bytes(now)) (it is \(now)), or let the process need less"
          : "raise resources.ram, or let the process need less"
      ])
  }

  /// Init has looked at the file already, and says which of the causes it was.
  private static func cannotStart(_ failure: StartFailureKind, _ reason: String, _ hint: String?) -> RunCause {
    var kind = Explanation.Kind.cannotStart
    var next: [String] = []
    switch failure {
    case .wrongArchitecture:
      kind = .wrongArchitecture
      next = ["use an image or a program built for this host's architecture"]
    case .missingInterpreter:
      kind = .missingInterpreter
      next = ["put the interpreter or the loader into the image, or link the program statically"]
    case .noShell:
      next = ["install bash or another shell at /bin/sh in the image, or let the image run its own command"]
    case .commandNotFound:
      kind = .commandNotFound
      next = ["correct the name of the command, or put it into the image"]
    case .notExecutable, .isDirectory:
      kind = .notExecutable
      next = ["make it executable for the role where the image is built"]
    default: break
    }
    return RunCause(kind, "was not started: \(reason)", hint.map { [$0] } ?? [], next: next)
  }
}
