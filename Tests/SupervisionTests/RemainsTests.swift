import Containers
import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import StrictJSON
import TaskModel
import TaskStore
import Testing

@testable import Supervision

/// What is said and kept of a task beside its verdict: what it left behind, what could not be written, what its processes were
/// told.
@Suite struct RemainsTests {
  private let host: TaskHost

  init() throws { host = try TaskHost() }

  @Test func aCleanEndIsClean() throws {
    host.change = { $0.assertsClean = true }
    let end = try host.run(TaskHost.task(), InitScript())
    #expect(end.state == .finished && !end.isUnclean)
    #expect(try host.notes.isEmpty)
  }

  @Test func whatIsLeftBehindIsSaidAndUnclean() throws {
    host.change = { $0.assertsClean = true }
    host.prepare = { [paths = host.paths] containerizer in
      containerizer.prepare = { container in
        container.remarks = ["a mount stays"]
        try? makeDirectories(paths.rootfs + "/upper", mode: 0o700)
      }
    }
    let end = try host.run(TaskHost.task(), InitScript())
    #expect(end.state == .finished && end.isUnclean)
    #expect(try host.notes == "a mount stays\nleft behind: \(host.paths.rootfs)")
    #expect(try host.errors.contains("note: a mount stays\n"))
  }

  @Test func withoutThatNobodyLooks() throws {
    host.prepare = { $0.prepare = { $0.remarks = ["a mount stays"] } }
    #expect(try !host.run(TaskHost.task(), InitScript()).isUnclean)
  }

  @Test func refusedForksAreNoted() throws {
    host.prepare = {
      $0.prepare = { container in (container.used.refusedForks, container.used.pidsLimit) = (3, 10) }
    }
    _ = try host.run(TaskHost.task(), InitScript())
    #expect(try host.notes == "the kernel refused 3 forks at the limit of 10 processes")
  }

  @Test func aResultGoesWhereItIsAskedForAndTheTaskAway() throws {
    let result = host.path + "/result.json"
    host.change = { run in
      run = TaskRun(
        paths: run.paths, settings: run.settings, publisher: run.publisher, launcher: run.launcher, resultFile: result,
        follows: false, removesRecord: true, judgedIdentity: run.judgedIdentity, signals: run.signals)
    }
    #expect(try host.run(TaskHost.task(), InitScript()).state == .finished)
    #expect(try JSON(parsing: readFile(result))["state"]?.string == "TASK_FINISHED")
    #expect(host.paths.isMissing)
  }

  @Test(arguments: ["/nonexistent/result.json", "/dev/null"])
  func aResultThatHasNowhereToGoIsRefusedBeforeAnythingRuns(file: String) throws {
    host.change = { run in
      run = TaskRun(
        paths: run.paths, settings: run.settings, publisher: run.publisher, launcher: run.launcher, resultFile: file,
        follows: false, signals: run.signals)
    }
    let failure = #expect(throws: ExecutorFailure.self) { try host.run(TaskHost.task(), InitScript()) }
    #expect(failure?.message.hasPrefix("--result \(file): ") == true)
    #expect(host.paths.isMissing)
  }

  @Test func aJournalThatCannotBeWrittenIsSaidOnce() throws {
    let journal = try Journal(continuing: "/dev/full", after: JournalContents(parsing: []))
    let errors = try makePipe(nonBlocking: true)
    let publisher = try StatusPublisher(
      taskID: "t-1", style: .plain, statusDescriptor: nil,
      streams: .init(output: errors.second.rawValue, errors: errors.second.rawValue))
    let notes = TaskNotes(["of another executor"], journal, publisher, host.paths)
    notes.keepJournal()
    #expect(notes.timeout == nil)
    journal.append("running", [], at: 1)
    // It is tried again in a while.
    #expect(notes.timeout ?? 0 > 0)
    notes.keepJournal()
    notes.keepJournal()
    notes.add("of another executor")
    #expect(notes.texts.count == 2)
    #expect(
      notes.texts[1].hasPrefix("the journal could not be written (")
        && notes.texts[1].hasSuffix("): what happened was kept in memory"))
    let said = String(decoding: try errors.first.descriptor.read(upTo: 4096) ?? [], as: UTF8.self)
    #expect(said.split(separator: "\n").count == 1 && said.contains("is kept in memory until it can"))
    for number in 0..<100 { notes.add("\(number)") }
    #expect(notes.texts.count == 32)
  }

  @Test func aRunKnowsItsTaskAndNothingOfTheExecutors() throws {
    let heard = InitScript.Heard()
    var script = InitScript(ends: ["main": [.exits(6)]])
    script.heard = heard
    let text = #"""
      {"name": "t", "processes": [
        {"name": "main", "cmdline": "x"}, {"name": "last", "cmdline": "x", "final": true}]}
      """#
    _ = try host.run(text, script)
    func environment(_ process: String) -> [String: String] {
      for case .spawn(let spec) in heard.requests where spec.process == process {
        return Dictionary(spec.environment.map { ($0.name, $0.value) }) { $1 }
      }
      return [:]
    }
    let main = environment("main")
    #expect(main["AURORA_TASK_ID"] == "t-1" && main["AURORA_PROCESS"] == "main" && main["AURORA_RUN"] == "0")
    #expect(main["HOME"] == "/sandbox" && main["MESOS_SANDBOX"] == "/sandbox" && main["USER"] == "role")
    #expect(main["TMPDIR"] == "/sandbox/.tmp" && main["PATH"]?.isEmpty == false && main["PWD"] == nil)
    #expect(main["AURORA_TASK_STATE"] == nil)
    // A final process knows how the task ends.
    let last = environment("last")
    #expect(last["AURORA_TASK_STATE"] == "TASK_FAILED" && last["AURORA_REASON"] == Reason.processFailed)
    let outcome = try JSON(parsing: readFile(host.paths.outcome))
    #expect(outcome["state"]?.string == "TASK_FAILED")
    #expect(last["AURORA_OUTCOME_FILE"] == "/sandbox/.logs/.outcome.json")
  }

  @Test func anImagesVariablesAreBelowTheTasksOwn() {
    let environment = ProcessEnvironment(
      taskID: "t-1", identity: host.identity, sandbox: "/s", hasImage: true,
      outcome: OutcomeFile(paths: host.paths, times: RunTimes(), directory: "/l"))
    let image = [EnvironmentVariable("PATH", "/image"), EnvironmentVariable("HOME", "/root"), .init("X", "y")]
    let found = environment.variables(image: image, run: nil)
    #expect(found.first { $0.name == "PATH" }?.value == "/image" && found.first { $0.name == "HOME" }?.value == "/s")
    #expect(found.contains(EnvironmentVariable("X", "y")) && !found.contains { $0.name == "AURORA_RUN" })
    #expect(ProcessEnvironment.path(hasImage: true).hasPrefix("/usr/local/sbin:"))
  }
}
