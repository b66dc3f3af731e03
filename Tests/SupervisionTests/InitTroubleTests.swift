import Containers
import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import TaskModel
import TaskStore
import Testing

@testable import Supervision

/// An init that does not do what it is asked, goes, or tells of trouble; and signals to the executor.
@Suite struct InitTroubleTests {
  private let host: TaskHost

  init() throws { host = try TaskHost() }

  private var container: PlayedContainer? { host.containerizer?.container }

  @Test func anInitThatDoesNotKillIsGoneOverAndAtLastGivenUp() throws {
    var script = InitScript(ends: ["main": [.lives]])
    // It stands still as soon as everything is to be killed.
    (script.kills, script.greetsOnce) = (false, true)
    host.change = { $0.timeouts = .init(first: 50_000_000, longest: 200_000_000) }
    let heard = InitScript.Heard()
    script.heard = heard
    let (end, _) = try host.run(TaskHost.task(), script) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(run: "RUNNING")
      _ = try peer.ask(.kill)
    }
    // That it was to be killed was decided.
    #expect(end.state == .killed)
    #expect(heard.requests.contains(.killAll))
    #expect(container?.killed == 1 && container?.thawed ?? 0 > 0)
    #expect(
      try host.notes.contains("container-init did not answer, and the task's processes were killed over its head"))
    #expect(try host.runs("main") == ["KILLED"])
  }

  @Test func anInitThatKillsAndIsSilentForAMomentIsNotGoneOver() throws {
    let (end, _) = try host.run(TaskHost.task(), InitScript(ends: ["main": [.defies]])) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(run: "RUNNING")
      _ = try peer.ask(.kill)
    }
    #expect(end.state == .killed && container?.killed == 0)
    #expect(try host.notes.isEmpty)
  }

  @Test func whatInitSaidLastIsInTheMessage() throws {
    host.prepare = { [paths = host.paths] containerizer in
      containerizer.prepare = { container in
        try? writeFileAtomically(paths.initLog, Array("first\nno room\u{1b}\n".utf8), mode: 0o600)
        container.words = LastWords(text: "the engine was stopped")
      }
    }
    #expect(try host.run(TaskHost.task(), InitScript(ends: ["main": [.takesInitAlong(writing: nil)]])).state == .lost)
    let message = try host.result["message"]?.string ?? ""
    #expect(message.hasSuffix(": no room\\x1b; the engine was stopped"), "\(message)")
    #expect(try host.runs("main") == ["LOST"])
  }

  @Test func outputThatCannotBeWrittenIsNoted() throws {
    var script = InitScript()
    script.remarks = ["main": [.logTrouble(RunKey("main", 0), "stdout: no space")]]
    #expect(try host.run(TaskHost.task(), script).state == .finished)
    #expect(try host.notes == "main run 0: stdout: no space")
    #expect(try host.errors.contains("warning: main run 0: stdout: no space\n"))
    // So that an executor that takes the task over knows it.
    #expect(try host.journal.contains { $0.type == "note" })
  }

  @Test func somebodyWhoStopsTheContainerStopsTheTask() throws {
    var script = InitScript(ends: ["main": [.lives]])
    script.remarks = ["main": [.stopRequested(signal: SIGTERM)]]
    #expect(try host.run(TaskHost.task(), script).state == .killed)
    #expect(try host.result["message"]?.string == "stopped by SIGTERM to the container from outside")
    #expect(try host.result["stop_origin"]?.string == "container")
  }

  @Test func straysAreWaitedFor() throws {
    var script = InitScript()
    script.strays = [2]
    let text = TaskHost.task(#", "finalization_wait": 0.3"#)
    #expect(try host.run(text, script).state == .finished)
    #expect(try host.journal.first { $0.type == "strays" }?.json["count"]?.integer == 2)
    // They were killed when their time was over.
    #expect(try host.journal.contains { $0.type == "all_gone" })
  }

  @Test func aSignalStopsAndASecondInterruptKills() throws {
    let send = host.sender
    let (end, _) = try host.run(TaskHost.task(), InitScript(ends: ["main": [.defies]])) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(run: "RUNNING")
      try send(SIGINT)
      try peer.wait(phase: "cleaning")
      try send(SIGINT)
    }
    #expect(end.state == .killed)
    #expect(try host.result["message"]?.string == "stopped by SIGINT from pid 4711 (uid 0)")
    #expect(try host.result["stop_origin"]?.string == "signal")
    #expect(try host.journal.filter { $0.type == "stop" }.map { $0.json["now"]?.bool } == [nil, true])
  }

  @Test func aSignalWhileTheImageIsFetchedEndsTheTask() throws {
    host.prepare = { $0.imageName = "busybox" }
    try host.sender(SIGTERM)
    let end = try host.run(TaskHost.task(), InitScript())
    #expect(end.state == .killed && end.launchFailure?.kind == .stopped)
    #expect(try host.states == ["TASK_STAGING", "TASK_KILLED"])
    #expect(try host.result["stop_origin"]?.string == "signal")
    #expect(host.containerizer?.abandoned == 1)
  }

  @Test func anImageThatIsThereIsInTheResult() throws {
    host.prepare = {
      $0.imageName = "busybox"
      $0.image = ProvisionedImage(reference: "busybox:latest", digest: "sha256:12", id: "sha256:34")
    }
    #expect(try host.run(TaskHost.task(), InitScript()).state == .finished)
    #expect(try host.states == ["TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"])
    #expect(try host.updates.first?["message"]?.string == "image busybox")
    #expect(try host.result.compact.contains("sha256:12"))
  }
}
