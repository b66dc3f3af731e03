import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import StrictJSON
import TaskModel
import TaskStore
import Testing

@testable import Supervision

/// Health checks of tasks and of processes, from the document to the status update: commands that init runs, and
/// connections through sockets that it hands out.
@Suite struct HealthTests {
  private let host: TaskHost

  init() throws { host = try TaskHost() }

  /// A check that is made every tenth of a second.
  private static func check(_ checker: String, grace: Double = 0, timeout: Double = 5, failures: Int = 0) -> String {
    """
    "health_check_config": {"health_checker": \(checker), "initial_interval_secs": \(grace), "interval_secs": 0.1,
      "timeout_secs": \(timeout), "max_consecutive_failures": \(failures)}
    """
  }

  private static let shell = #"{"shell": {"shell_command": "check"}}"#

  private func script(_ commands: [InitScript.Command]) -> InitScript {
    var script = InitScript(ends: ["main": [.lives]])
    script.commands = commands
    return script
  }

  /// Runs a task that is stopped when it is healthy.
  private func runUntilHealthy(_ text: String, _ script: InitScript) throws -> TaskEnd {
    try host.run(text, script) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(state: "TASK_RUNNING")
      _ = try peer.ask(.stop)
    }.end
  }

  private func http(_ port: Int, _ more: String = "") -> String { #"{"http": {"port": "\#(port)"\#(more)}}"# }

  /// Why the last check failed, as `status` has it.
  private var lastReason: String? {
    let checks = HealthReport.read(host.paths.health)?.first?["checks"]?.array
    return checks?.last?["reason"]?.string
  }

  // MARK: Commands

  @Test func aTaskIsRunningWhenItsCheckSucceeds() throws {
    let end = try runUntilHealthy(TaskHost.task(", " + Self.check(Self.shell)), script([.exits(0, saying: "fine")]))
    #expect(end.state == .killed)
    let update = try #require(try host.updates.first { $0["state"]?.string == "TASK_RUNNING" })
    #expect(update["reason"]?.string == Reason.health && update["message"]?.string == "Task is healthy.")
    let subject = try #require(HealthReport.read(host.paths.health)?.first)
    #expect(subject["status"]?.string == "healthy")
    #expect(subject["checks"]?.array?.first?["output"]?.string == "fine")
  }

  @Test func failuresAtFirstAreForgiven() throws {
    let text = TaskHost.task(", " + Self.check(Self.shell, grace: 0.3))
    let end = try runUntilHealthy(text, script([.exits(1), .exits(1), .exits(0)]))
    #expect(end.state == .killed)
    #expect(try host.states == ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"])
  }

  @Test func failuresInARowEndTheTask() throws {
    let text = TaskHost.task(", " + Self.check(Self.shell, failures: 1))
    // Two in a row, not two altogether.
    let end = try host.run(
      text, script([.exits(0), .exits(1), .exits(0), .exits(1), .exits(3, saying: "out of order\n")]))
    #expect(end.state == .failed)
    #expect(try host.result["reason"]?.string == Reason.health)
    #expect(
      try host.result["message"]?.string
        == "Failed health check! Command 'check' returned non-zero exit status 3 with output 'out of order'")
    #expect(try host.states == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"])
    #expect(try host.runs("main") == ["KILLED"])
  }

  @Test func aCheckThatHangsIsKilledAndHasFailed() throws {
    var script = script([.hangs])
    let heard = InitScript.Heard()
    script.heard = heard
    let end = try host.run(TaskHost.task(", " + Self.check(Self.shell, timeout: 0.1)), script)
    #expect(end.state == .failed)
    #expect(try host.result["message"]?.string == "Failed health check! Health check timed out.")
    #expect(heard.requests.contains(.killCommand(1)))
  }

  @Test(
    arguments: [
      (.dies(of: 6), "Command 'check' was killed by SIGABRT with output ''"),
      (
        .cannotStart(StartFailure(.commandNotFound, "no check here")), "cannot run the health check: no check here"
      ),
      (
        .exits(0, saying: String(repeating: "word ", count: 300_000)),
        "the command wrote more than 1 MiB, or in more than 4096 pieces"
      ),
    ] as [(InitScript.Command, String)])
  func aCheckThatFailsSaysWhy(command: InitScript.Command, why: String) throws {
    let end = try host.run(TaskHost.task(", " + Self.check(Self.shell)), script([command]))
    #expect(end.state == .failed)
    #expect(try host.result["message"]?.string == "Failed health check! " + why)
  }

  @Test func aRunOfAProcessThatIsSickIsEndedAndTriedAgain() throws {
    let members =
      ", " + Self.check(Self.shell).split(separator: "\n").joined(separator: " ")
      + #", "max_failures": 2, "min_duration": 0"#
    var script = InitScript(ends: ["main": [.lives, .exits(0)]])
    script.commands = [.exits(2, saying: "sick")]
    let end = try host.run(TaskHost.task(process: members), script)
    #expect(end.state == .finished)
    #expect(try host.runs("main") == ["FAILED", "SUCCESS"])
    let told = try host.journal.first { $0.type == "unhealthy" }
    #expect(told?.json["process"]?.string == "main" && told?.json["run"]?.integer == 0)
    #expect(told?.json.compact.contains("sick") == true)
  }

  @Test func aSandboxWithTheFileForItIsNotCheckedUntilThatIsGone() throws {
    let snooze = host.paths.sandbox + "/.healthchecksnooze"
    host.prepare = { $0.prepare = { _ in try? writeFileAtomically(snooze, [], mode: 0o600) } }
    var script = script([.exits(1)])
    let heard = InitScript.Heard()
    script.heard = heard
    let (end, before) = try host.run(TaskHost.task(", " + Self.check(Self.shell)), script) { paths in
      let isSaid = waitUntil { HealthReport.read(paths.health)?.first?["checks"]?.array?.isEmpty == false }
      let before = heard.requests.count { if case .execute = $0 { true } else { false } }
      try removeFile(snooze)
      return isSaid ? before : nil
    }
    #expect(before == 0 && end.state == .failed)
    let checks = HealthReport.read(host.paths.health)?.first?["checks"]?.array
    #expect(checks?.map { $0["outcome"]?.string } == ["snoozed", "failure"])
  }

  // MARK: Over the network

  @Test func aServerThatSaysOkIsHealthy() throws {
    let server = try LoopbackServer([.response("200 OK", "OK\n")])
    var script = InitScript(ends: ["main": [.lives]])
    script.network = .host
    let end = try runUntilHealthy(TaskHost.task(", " + Self.check(http(server.port))), script)
    #expect(end.state == .killed)
    #expect(server.requests.first == "GET /health HTTP/1.1")
  }

  @Test(
    arguments: [
      (.response("200 OK", "not well"), #"Response differs from expected response (expected "ok", got "not well")"#),
      (
        .response("503 Busy", "ok"),
        #"Response differs from expected response (expected "ok", got "" with HTTP status 503)"#
      ),
      (.says("220 mail.example\r\n\r\n"), "does not answer in HTTP"),
      (.says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\no"), "port PORT"),
      (.says(""), "port PORT does not answer in HTTP: the connection ended before a response came"),
      (.hangs, "Health check timed out."),
    ] as [(LoopbackServer.Answer, String)])
  func anAnswerThatIsNoneSaysWhy(answer: LoopbackServer.Answer, why: String) throws {
    let server = try LoopbackServer([answer])
    var script = InitScript(ends: ["main": [.lives]])
    script.network = .host
    let end = try host.run(TaskHost.task(", " + Self.check(http(server.port), timeout: 0.5)), script)
    #expect(end.state == .failed)
    let message = try host.result["message"]?.string ?? ""
    let wanted = why.split(separator: "PORT", omittingEmptySubsequences: false).joined(separator: "\(server.port)")
    #expect(message.hasPrefix("Failed health check! ") && message.contains(wanted), "\(message)")
  }

  @Test func aPortThatIsConnectedToIsHealthyAndOneThatRefusesIsNot() throws {
    var server: LoopbackServer? = try LoopbackServer([.hangs])
    let port = try #require(server).port
    var script = InitScript(ends: ["main": [.lives]])
    script.network = .host
    let text = TaskHost.task(", " + Self.check(#"{"tcp": {"port": "\#(port)"}}"#))
    #expect(try runUntilHealthy(text, script).state == .killed)
    server = nil
    let other = try TaskHost()
    #expect(try other.run(text, script).state == .failed)
    #expect(
      try other.result["message"]?.string == "Failed health check! nobody listens on port \(port) (ECONNREFUSED)")
  }

  @Test func aHostThatIsShortOfSocketsSaysNothingAboutTheTask() throws {
    var script = InitScript(ends: ["main": [.lives]])
    let heard = InitScript.Heard()
    (script.heard, script.network) = (heard, .loses)
    let (end, _) = try host.run(TaskHost.task(", " + Self.check(http(1))), script) { paths in
      let isAsked = waitUntil {
        heard.requests.count { if case .openSocket = $0 { true } else { false } } > 3
      }
      let peer = try ControlPeer(paths)
      try peer.wait(phase: "active", state: "TASK_STARTING")
      _ = try peer.ask(.stop)
      #expect(isAsked)
    }
    #expect(end.state == .killed)
    #expect(HealthReport.read(host.paths.health) == nil)
  }

  @Test func aContainerWithoutSocketsFailsTheCheck() throws {
    #expect(try host.run(TaskHost.task(", " + Self.check(http(1))), script([])).state == .failed)
    #expect(try host.result["message"]?.string?.contains("cannot make a socket: ") == true)
  }

  // MARK: Asked to end

  @Test func aServerIsAskedToEndBeforeItIsSignalled() throws {
    let server = try LoopbackServer([.response("404 Not Found"), .response("200 OK")])
    var script = InitScript(ends: ["main": [.lives]])
    let heard = InitScript.Heard()
    (script.heard, script.network) = (heard, .host)
    host.settings.ports = ["admin": server.port]
    let text = TaskHost.task(#", "lifecycle": {"http": {"port": "admin", "shutdown_wait_secs": 0.1}}"#)
    let (end, _) = try host.run(text, script) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(run: "RUNNING")
      _ = try peer.ask(.stop)
    }
    #expect(end.state == .killed)
    // The first is not known there, the second is given its time.
    #expect(server.requests == ["POST /quitquitquit HTTP/1.1", "POST /abortabortabort HTTP/1.1"])
    let answers = try host.journal.filter { $0.type == "lifecycle_answered" }.map { $0.json["handled"]?.bool }
    #expect(answers == [false, true])
    #expect(heard.requests.contains(.signal(RunKey("main", 0), SIGTERM)))
  }
}
