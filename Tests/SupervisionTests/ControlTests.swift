import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import StrictJSON
import TaskModel
import TaskStore
import Testing

@testable import Supervision

/// What others ask of the executor of a task while it runs: over its real socket, as `stop`, `kill`, `status` and
/// `restart` do.
@Suite struct ControlTests {
  private let host: TaskHost

  init() throws { host = try TaskHost() }

  @Test func aStopWhileTheTaskRunsLetsFinalProcessesRun() throws {
    let heard = InitScript.Heard()
    var script = InitScript(ends: ["main": [.lives]])
    script.heard = heard
    let (end, answer) = try host.run(TaskHost.withFinal, script) { paths in
      try ControlPeer(paths).wait(run: "RUNNING")
      let client = try ControlClient(paths)
      let answer = try client.ask(.stop, within: 10_000)
      return (answer?["ok"]?.bool, client.waitForEnd(seconds: 10))
    }
    // Whoever waits for the end sees it.
    #expect(answer.0 == true && answer.1)
    #expect(end.state == .killed)
    #expect(heard.requests.contains(.signal(RunKey("main", 0), SIGTERM)))
    #expect(try host.runs("main") == ["KILLED"] && host.runs("last") == ["SUCCESS"])
    let by = "stopped by a request from pid \(getpid()) (uid \(geteuid()))"
    #expect(try host.result["message"]?.string == by)
    #expect(try host.result["stop_origin"]?.string == "request")
    #expect(try host.states == ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"])
  }

  @Test func aStopBeforeTheContainerStandsEndsTheTaskBeforeItRan() throws {
    var script = InitScript()
    script.greets = false
    let (end, isDone) = try host.run(TaskHost.task(), script) { paths in
      try ControlPeer(paths).wait(phase: "starting")
      return try ControlClient(paths).ask(.stop, within: 10_000)?["ok"]?.bool
    }
    #expect(isDone == true && end.state == .killed)
    #expect(try host.result["reason"]?.string == Reason.killedDuringLaunch)
    #expect(try host.runs("main").isEmpty)
    #expect(host.containerizer?.container?.destroyed == 1)
  }

  @Test func aKillCutsAStopShort() throws {
    let script = InitScript(ends: ["main": [.defies]])
    let (end, _) = try host.run(TaskHost.withFinal, script) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(run: "RUNNING")
      #expect(try peer.ask(.stop)["ok"]?.bool == true)
      try peer.wait(phase: "cleaning")
      #expect(try ControlClient(paths).ask(.kill, within: 10_000)?["ok"]?.bool == true)
    }
    #expect(end.state == .killed)
    #expect(try host.runs("main") == ["KILLED"] && host.runs("last").isEmpty)
  }

  @Test func aStopWhileFinalProcessesRunChangesNothingAndAKillEndsThem() throws {
    let script = InitScript(ends: ["main": [.exits(3)], "last": [.lives]])
    let (end, _) = try host.run(TaskHost.withFinal, script) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(phase: "finalizing", "last", run: "RUNNING")
      #expect(try peer.ask(.stop)["ok"]?.bool == true)
      try peer.wait(phase: "finalizing", "last", run: "RUNNING")
      #expect(try peer.ask(.kill)["ok"]?.bool == true)
      #expect(peer.isCutOff())
    }
    // How it ends was decided before.
    #expect(end.state == .failed)
    #expect(try host.result["message"]?.string?.contains("exit status 3") == true)
    #expect(try host.runs("last") == ["KILLED"])
  }

  @Test func aRunIsStartedAnewAndThatIsNoFailure() throws {
    let script = InitScript(ends: ["main": [.lives, .exits(0)]])
    let (end, refusals) = try host.run(TaskHost.task(process: #", "min_duration": 0"#), script) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(run: "RUNNING")
      let client = try ControlClient(paths)
      #expect(throws: ExecutorFailure.self) { try client.ask(.restart(process: "other"), within: 10_000) }
      let refusal = try peer.ask(.restart(process: "no\nbody"))["error"]?.string
      #expect(try client.ask(.restart(process: "main"), within: 10_000)?["ok"]?.bool == true)
      return refusal
    }
    #expect(refusals?.hasPrefix("the task has no process") == true && refusals?.contains("\n") == false)
    #expect(end.state == .finished)
    #expect(try host.runs("main").count == 2)
    #expect(try host.journal.contains { $0.type == "restart" && $0.json["process"]?.string == "main" })
  }

  @Test func aProcessThatDoesNotRunIsNotRestarted() throws {
    let (_, why) = try host.run(TaskHost.withFinal, InitScript(ends: ["main": [.lives]])) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(run: "RUNNING")
      let answer = try peer.ask(.restart(process: "last"))
      #expect(answer["ok"]?.bool == false)
      _ = try peer.ask(.kill)
      return answer["error"]?.string
    }
    #expect(why == "last has no run that could end now")
  }

  @Test func whoHasSubscribedIsToldWhatHappens() throws {
    let (_, last) = try host.run(TaskHost.task(), InitScript(ends: ["main": [.lives]])) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(run: "RUNNING")
      #expect(try peer.ask(.subscribe)["ok"]?.bool == true)
      // One that goes away is no trouble of the others'.
      do {
        let other = try ControlPeer(paths)
        _ = try other.ask(.subscribe)
      }
      try peer.say(ControlRequest.stop.json(tasks: nil).compact)
      let stop = try peer.wait(event: "stop")
      let ended = try peer.wait(event: "ended")
      #expect(stop["origin"]?.string == "request" && ended["process"]?.string == "main")
      return peer.isCutOff()
    }
    #expect(last)
  }

  @Test func aRequestIsForTheTaskOfOneWorkDirectory() throws {
    let (_, answers) = try host.run(TaskHost.task(), InitScript(ends: ["main": [.lives]])) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(run: "RUNNING")
      let refused = try peer.ask(ControlRequest.stop.json(tasks: "1:2:3").compact)
      let own = try peer.ask(ControlRequest.status.json(tasks: paths.tasksIdentity).compact)
      _ = try peer.ask(ControlRequest.kill.json(tasks: paths.tasksIdentity).compact)
      return (refused["error"]?.string, own["state"]?.string)
    }
    #expect(answers.0?.contains("is of another work directory") == true)
    // It was not stopped.
    #expect(answers.1 == "TASK_RUNNING")
    #expect(try host.result["message"]?.string?.hasPrefix("killed by") == true)
  }

  @Test func whatIsNoRequestIsRefusedAndTheConversationGoesOn() throws {
    let (_, errors) = try host.run(TaskHost.task(), InitScript(ends: ["main": [.lives]])) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(run: "RUNNING")
      let lines = [
        "\u{1}garbage", "[]", #"{"version": 2, "request": "stop"}"#, #"{"version": 1, "request": "pause"}"#,
        #"{"version": 1, "request": "restart"}"#, #"{"version": 1, "tasks": 3, "request": "stop"}"#, "",
      ]
      let errors = try lines.map { try peer.ask($0)["error"]?.string }
      _ = try peer.ask(.kill)
      return errors
    }
    #expect(
      errors == [
        "a JSON object is needed", "a JSON object is needed", "version 1 of the protocol is spoken here",
        #""request" is stop, kill, status, restart or subscribe, not "pause""#,
        #"which process? "process" is missing"#, #""tasks" is MAJOR:MINOR:INODE, a string"#, "a JSON object is needed",
      ])
  }

  @Test func anExecutorThatIsNotThereIsSaidToBe() throws {
    try makeDirectories(host.paths.run, mode: 0o700)
    let failure = #expect(throws: ExecutorFailure.self) { try ControlClient(host.paths) }
    #expect(failure?.kind == .unavailable)
    #expect(failure?.message.contains(host.paths.executorSocket) == true)
  }
}
