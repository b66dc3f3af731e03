import ContainerInit
import LaunchModel
import StrictJSON
import TaskModel
import Testing

@testable import Explanation

/// What `explain` says of a run, for every kind of end; of a task as a whole in `TaskExplanationTests.swift`.
@Suite struct ExplanationTests {
  /// A task that went through these events, one a second.
  func known(
    _ processes: String = #"{"name":"web","cmdline":"x"}"#, _ rest: String = "", _ events: [TaskEvent]
  ) throws -> TaskEvidence {
    let text = #"{"name":"t","processes":[\#(processes)]\#(rest)}"#
    let (document, _) = TaskDocument.decode(Array(text.utf8))
    let (bound, _) = try #require(document).bind(Bindings(taskID: "t-1", role: "r", hostname: "h"))
    let task = try #require(bound)
    var machine = TaskMachine(task, waitsForStrays: false)
    var pending = [TaskEvent.containerReady] + events
    for second in 0..<200 {
      guard !pending.isEmpty else { break }
      for effect in machine.handle(pending.removeFirst(), at: UInt64(second) * 1_000_000_000) where effect == .killAll {
        pending.insert(.allGone, at: 0)
      }
    }
    return TaskEvidence(
      task: task, taskID: "t-1",
      state: (machine.phase == .terminal ? machine.verdict?.state : machine.state)?.rawValue ?? "",
      verdict: machine.verdict, notedRuns: machine.notedRuns, hasEnded: machine.phase == .terminal, hasExecutor: true,
      phase: machine.phase,
      processes: machine.processes)
  }

  func run(_ process: String = "web", _ number: Int = 0, _ outcome: RunOutcome) -> [TaskEvent] {
    [
      .forked(process: process, run: number), .running(process: process, run: number),
      .ended(process: process, run: number, outcome),
    ]
  }

  func explain(
    _ outcome: RunOutcome, stderr: [String] = [], _ change: (inout TaskEvidence) -> Void = { _ in }
  ) throws -> Explanation {
    var evidence = try known(#"{"name":"web","cmdline":"x"}"#, "", run("web", 0, outcome))
    evidence.stderr = stderr.map { Array($0.utf8) }
    change(&evidence)
    return Explainer.explain(evidence)
  }

  // MARK: Exit statuses

  @Test func anExitStatusWithItsLastWords() throws {
    let found = try explain(.exited(3), stderr: ["before", "cannot open \u{1b}[31mdb"])
    #expect(
      found.text
        == "t-1 failed: process web run 0 ended with exit status 3. Its last words on stderr: "
        + #""before / cannot open \x1b[31mdb". What to try: `aurora-executor logs t-1 --process web --run 0 --stderr` "#
        + "shows all that it wrote.")
    #expect(found.kind == .exitStatus)
  }

  @Test func aSilentRunIsCalledSilentAndAWorkDirectoryIsInTheCommands() throws {
    #expect(try explain(.exited(3)).text == "t-1 failed: process web run 0 ended with exit status 3. It wrote nothing.")
    let found = try explain(.exited(3)) {
      $0.hasOutput = true
      $0.workDirectory = "/my dir"
    }
    #expect(
      found.next == ["`aurora-executor logs t-1 --work-dir '/my dir' --process web --run 0` shows all that it wrote"])
  }

  @Test(arguments: [
    "sh: 1: foo: not found", "/bin/bash: line 1: foo: command not found", "sh: foo: not found",
    "/bin/bash: line 1: exec: foo: not found", "/usr/bin/env: \u{2018}foo\u{2019}: No such file or directory",
    "env: 'foo': No such file or directory",
  ]) func aMissingCommandIsNamedWithThePathThatWasSearched(words: String) throws {
    let found = try explain(.exited(127), stderr: [words]) { $0.searchPath = "/usr/bin:/bin" }
    #expect(found.kind == .commandNotFound)
    #expect(found.cause == "process web run 0 ended with exit status 127: the shell did not find the command `foo`")
    #expect(found.evidence.first == "PATH was /usr/bin:/bin")
    #expect(found.next.first == "install `foo` on this host, correct its name, or give its whole path")
  }

  @Test func otherWordsAreNotTakenForAShells() throws {
    #expect(ShellComplaint(exitStatus: 1, stderr: [Array("sh: 1: foo: not found".utf8)]) == nil)
    #expect(ShellComplaint(exitStatus: 127, stderr: [Array("all is well".utf8), []]) == nil)
    #expect(try explain(.exited(127)).kind == .commandNotFound)
    #expect(try explain(.exited(126)).kind == .notExecutable)
  }

  private let elf: [UInt8] = {
    // A 64-bit little-endian ELF file for x86_64 with one program header: PT_INTERP, 5 bytes at 120.
    var head = [UInt8](repeating: 0, count: 128)
    head.replaceSubrange(0..<6, with: [0x7f, 0x45, 0x4c, 0x46, 2, 1])
    head[18] = 62
    head[32] = 64
    head[54] = 56
    head[56] = 1
    head[64] = 3
    head[72] = 120
    head[96] = 5
    head.replaceSubrange(120..<125, with: Array("/ld.2".utf8))
    return head
  }()

  @Test func aMissingLoaderIsToldFromAMissingFile() throws {
    let missing = try explain(.exited(127), stderr: ["sh: /bin/hello: not found"]) {
      $0.program = .present(ProgramHead(elf))
      $0.image = "small:1"
    }
    #expect(missing.kind == .missingInterpreter)
    #expect(
      missing.cause
        == "process web run 0 ended with exit status 127: `/bin/hello` is there, and its loader `/ld.2` is not")
    #expect(missing.next.first == "link it statically, or use an image that has `/ld.2`")
    let absent = try explain(.exited(127), stderr: ["sh: /bin/hello: not found"]) { $0.program = .absent }
    #expect(absent.kind == .commandNotFound)
    #expect(absent.cause.utf8.holds("there is no `/bin/hello`".utf8))
    let unknown = try explain(.exited(127), stderr: ["sh: /bin/hello: not found"])
    #expect(unknown.evidence.first == "Either it is not there, or the interpreter or the loader that it names is not")
  }

  @Test func commandsThatAreShownAreOneWordOrAbsent() throws {
    func next(_ directory: String) throws -> [String] {
      try explain(.exited(3)) {
        $0.hasOutput = true
        $0.workDirectory = directory
      }.next
    }
    #expect(
      try next("/p'; rm -rf x; '").first?.utf8.holds(#"--work-dir '/p'\''; rm -rf x; '\''' --process"#.utf8) == true)
    #expect(try next("/a\u{1b}[2J") == [])
    #expect(try next("/a\u{202e}b") == [])
  }

  @Test func manyNotesAreCutOff() throws {
    let found = try explain(.exited(3)) { $0.verdict?.notes = (0..<20).map { "note \($0)\u{202e}" } }
    #expect(found.evidence.filter { $0.utf8.starts(with: "Also: ".utf8) }.count == 8)
    #expect(found.evidence.contains("12 more notes are in its result"))
    #expect(!found.text.unicodeScalars.contains("\u{202e}"))
  }

  @Test func linesAsWindowsEndsThemAreNamedWhoeverComplains() throws {
    let head = TaskEvidence.Program.present(ProgramHead(Array("#!/bin/sh\r\n".utf8)))
    for (words, program) in [
      ("/usr/bin/env: \u{2018}bash\\r\u{2019}: No such file or directory", nil), ("sh: 1: ./run: not found", head),
      ("/bin/bash: line 1: ./run: cannot execute: required file not found", head),
    ] {
      let found = try explain(.exited(127), stderr: [words]) { $0.program = program }
      #expect(found.kind == .missingInterpreter)
      #expect(found.next.first == "write the script with plain newlines")
    }
  }

  @Test func aDirectoryIsToldFromAFileThatMayNotBeExecuted() throws {
    let bash = try explain(.exited(126), stderr: ["/bin/bash: line 1: exec: /etc: cannot execute: Is a directory"])
    #expect(bash.cause.utf8.holds("`/etc` is a directory".utf8))
    let busybox = try explain(.exited(126), stderr: ["sh: exec: line 0: /etc: Permission denied"]) {
      $0.program = .directory
    }
    #expect(busybox.cause.utf8.holds("`/etc` is a directory".utf8))
  }

  @Test func whatIsGoneIsOnlySaidToBeWhenThatIsKnown() throws {
    func evidence(_ hasContainer: Bool?) throws -> [String] {
      var known = try known(
        #"{"name":"web","cmdline":"x"}"#, "", [.forked(process: "web", run: 0), .running(process: "web", run: 0)])
      known.hasExecutor = false
      known.hasContainer = hasContainer
      return Explainer.explain(known).evidence
    }
    #expect(try evidence(true) == ["Its executor is gone; its processes go on without it"])
    #expect(try evidence(false) == ["Its executor is gone, and so is its container"])
    #expect(try evidence(nil) == ["Its executor is gone"])
  }

  @Test func aMissingInterpreterIsNamed() throws {
    let words = "/bin/bash: line 1: ./run: /usr/bin/pyton: bad interpreter: No such file or directory"
    #expect(
      try explain(.exited(126), stderr: [words]).cause
        == "process web run 0 ended with exit status 126: the interpreter `/usr/bin/pyton` of the script `./run` is not there"
    )
    let found = try explain(.exited(127), stderr: ["/bin/bash: line 1: ./run: cannot execute: required file not found"])
    {
      $0.program = .present(ProgramHead(Array("#!/bin/perl -w\n".utf8)))
    }
    #expect(found.kind == .missingInterpreter)
    #expect(found.cause.utf8.holds("the script `./run` is there, and its interpreter `/bin/perl` is not".utf8))
    let windows = try explain(
      .exited(126), stderr: ["sh: ./run: /bin/sh\r: bad interpreter: No such file or directory"])
    #expect(windows.next.first == "write the script with plain newlines")
  }

  @Test func anotherArchitectureIsNamed() throws {
    var foreign = elf
    foreign[18] = 22
    for words in [
      "sh: 1: ./prog: Exec format error", "/bin/bash: line 1: ./prog: cannot execute binary file: Exec format error",
    ] {
      let found = try explain(.exited(126), stderr: [words]) { $0.program = .present(ProgramHead(foreign)) }
      #expect(found.kind == .wrongArchitecture)
      #expect(found.cause.utf8.holds("`./prog` is built for s390x, which this host is not".utf8))
      #expect(try explain(.exited(126), stderr: [words]).cause.utf8.holds("no program that this host can run".utf8))
    }
  }

  @Test func whatMayNotBeExecuted() throws {
    #expect(
      try explain(.exited(126), stderr: ["sh: 1: ./x: Permission denied"]).cause.utf8.holds("may not be executed".utf8))
    #expect(
      try explain(.exited(126), stderr: ["bash: line 1: ./x: Is a directory"]).cause.utf8.holds("is a directory".utf8))
  }

  @Test(arguments: [(139, "SIGSEGV"), (134, "SIGABRT"), (137, "SIGKILL"), (143, "SIGTERM")])
  func aSignalOfTheShellsCommandIsReadFromTheStatus(status: Int32, name: String) throws {
    let found = try explain(.exited(status))
    #expect(found.kind == .childSignal)
    #expect(found.evidence.first == "That is how a shell reports that its command was killed by \(name)")
  }

  // MARK: Signals, memory, starting

  @Test func aCrashAndAKillByAnotherAreToldApart() throws {
    let crash = try explain(.signaled(11))
    #expect(crash.text.utf8.starts(with: "t-1 failed: process web run 0 was killed by SIGSEGV. The program read".utf8))
    let kill = try explain(.signaled(9))
    #expect(
      kill.evidence.first?.utf8.starts(with: "The executor did not send it, and no kill for want of memory".utf8)
        == true)
    #expect(kill.next.first?.utf8.holds("dmesg".utf8) == true)
    #expect(try explain(.signaled(15)).evidence.first?.utf8.starts(with: "The executor did not send it".utf8) == true)
    #expect(try explain(.signaled(31)).evidence.first?.utf8.holds("seccomp".utf8) == true)
  }

  @Test func outOfMemoryHasLimitPeakAndWhatToRaise() throws {
    let found = try explain(.outOfMemory(signal: 9, exitCode: nil, limitBytes: 32 << 20, peakBytes: 32 << 20))
    #expect(found.reason == Reason.memory)
    #expect(
      found.cause
        == "process web run 0 was killed by the kernel because the task reached its memory limit of 32 MiB (peak 32 MiB)"
    )
    #expect(found.next.first == "raise resources.ram above 32 MiB (it is 33554432), or let the process need less")
    let child = try explain(.outOfMemory(signal: nil, exitCode: 3, limitBytes: 0, peakBytes: 0))
    #expect(child.cause.utf8.holds("ended with exit status 3 after the kernel had killed one of its processes".utf8))
  }

  @Test func whatInitCouldNotStart() throws {
    func kind(_ failure: StartFailure.Kind) throws -> Explanation.Kind {
      try explain(StartFailure(failure, "not found", hint: "h").outcome).kind
    }
    #expect(try kind(.missingInterpreter) == .missingInterpreter)
    #expect(try kind(.wrongArchitecture) == .wrongArchitecture)
    #expect(try kind(.commandNotFound) == .commandNotFound)
    #expect(try kind(.notExecutable) == .notExecutable)
    #expect(try kind(.isDirectory) == .notExecutable)
    for other in [.noShell, .workingDirectory, .setup, .other, StartFailure.Kind("of_a_newer_init")] {
      #expect(try kind(other) == .cannotStart)
    }
    let found = try explain(
      .cannotStart(
        .noShell, reason: "no shell can be started: /bin/bash: not in the container (ENOENT)",
        hint: "command lines need one"))
    #expect(found.kind == .cannotStart)
    #expect(found.next.first?.utf8.starts(with: "install bash".utf8) == true)
    #expect(found.evidence == ["command lines need one", "It wrote nothing"])
  }
}
