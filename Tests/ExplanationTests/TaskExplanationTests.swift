import ContainerInit
import LaunchModel
import StrictJSON
import TaskModel
import Testing

@testable import Explanation

/// What `explain` says of a task as a whole: of several processes, its limits, its launch and its end.
extension ExplanationTests {
  @Test func usedUpRetriesAreCounted() throws {
    let events = (0..<3).flatMap { run("web", $0, .exited($0 == 2 ? 9 : 1)) }
    let found = Explainer.explain(
      try known(#"{"name":"web","cmdline":"x","max_failures":3,"min_duration":0}"#, "", events))
    #expect(found.decider == RunReference(process: "web", run: 2))
    #expect(
      found.text.utf8.holds(
        "It was tried 3 times, as often as its max_failures allows, the last with exit status 1, exit status 1, exit status 9"
          .utf8))
  }

  @Test func theOthersAreAccountedFor() throws {
    let processes = """
      {"name":"a","cmdline":"x"},{"name":"web","cmdline":"x"},{"name":"b","cmdline":"x"},
      {"name":"c","cmdline":"x"},{"name":"d","cmdline":"x"}
      """
    let found = Explainer.explain(
      try known(
        processes, #","constraints":[{"order":["web","c"]},{"order":["c","d"]}]"#,
        run("a", 0, .exited(0)) + [.forked(process: "b", run: 0), .running(process: "b", run: 0)]
          + run("web", 0, .exited(1)) + [.ended(process: "b", run: 0, .signaled(15))]))
    #expect(
      found.others == [
        "`a` finished well", "`b` ended with the task, by the executor's own signals",
        "`c` never started, because it waits for `web`", "`d` never started, because it waits for `c`",
      ])
  }

  @Test func aDeadEndNamesTheFailedPredecessor() throws {
    let found = Explainer.explain(
      try known(
        #"{"name":"a","cmdline":"x"},{"name":"b","cmdline":"x"}"#,
        #","max_failures":2,"constraints":[{"order":["a","b"]}]"#, run("a", 0, .exited(4))))
    #expect(found.state == "TASK_FAILED")
    #expect(found.cause == "process a run 0 ended with exit status 4")
    #expect(found.others == ["`b` never started, because it waits for `a`"])
  }

  @Test func toleratedFailuresAndSkippedFinalsAreMentioned() throws {
    let tolerated = Explainer.explain(
      try known(
        #"{"name":"a","cmdline":"x"},{"name":"b","cmdline":"x"}"#, #","max_failures":2"#,
        run("a", 0, .exited(4)) + run("b", 0, .exited(0))))
    #expect(
      tolerated.text
        == "t-1 finished: every process that counts has done its work. Also: a run 0: exit status 4; max_failures allows it. "
        + "`b` finished well.")
    let killed = Explainer.explain(
      try known(
        #"{"name":"a","cmdline":"x"},{"name":"f","cmdline":"x","final":true}"#, "",
        [.forked(process: "a", run: 0), .running(process: "a", run: 0), .stop(.now(by: "SIGKILL from pid 7 (uid 0)"))]))
    #expect(killed.kind == .stopped)
    #expect(
      killed.text.utf8.starts(
        with: "t-1 was killed: killed by SIGKILL from pid 7 (uid 0). Nothing had failed by then.".utf8))
    #expect(killed.text.utf8.holds("`f` was never started".utf8))
  }

  @Test func aDiskLimit() throws {
    let message = "disk limit exceeded: 64 MiB limit, 71 MiB used: sandbox/core 48 MiB"
    var evidence = try known(
      #"{"name":"web","cmdline":"x"}"#, #","resources":{"cpu":1,"ram":1048576,"disk":67108864}"#,
      [
        .forked(process: "web", run: 0), .running(process: "web", run: 0),
        .limitation(reason: Reason.disk, message: message),
        .ended(process: "web", run: 0, .signaled(15)),
      ])
    evidence.hasEnded = true
    let found = Explainer.explain(evidence)
    #expect(found.kind == .disk)
    #expect(found.cause == message)
    #expect(found.next.contains("raise resources.disk above 64 MiB"))
    #expect(found.others == ["`web` ended with the task, by the executor's own signals"])
  }

  @Test func aFailedHealthCheckWithWhatItSaidLast() throws {
    var evidence = try known(
      #"{"name":"web","cmdline":"x"}"#, "",
      [
        .forked(process: "web", run: 0), .running(process: "web", run: 0), .unhealthy("3 failures in a row"),
        .ended(process: "web", run: 0, .signaled(15)),
      ])
    evidence.health = [
      .init(process: nil, hasFailed: false, output: "fine"),
      .init(process: nil, hasFailed: true, output: "connection refused\n"),
      .init(process: "web", hasFailed: true, output: "another's"),
      .init(process: nil, hasFailed: true, output: "HTTP 500"),
    ]
    let found = Explainer.explain(evidence)
    #expect(found.kind == .health)
    #expect(found.cause == "Failed health check! 3 failures in a row")
    #expect(found.evidence == [#"A check said: "connection refused""#, #"A check said: "HTTP 500""#])
  }

  @Test func aProcessThatItsCheckGaveUp() throws {
    let found = try explain(.unhealthy("2 failures in a row")) {
      $0.health = [.init(process: "web", hasFailed: true, output: "HTTP 500")]
    }
    #expect(found.kind == .health)
    #expect(found.cause == "process web run 0 was ended because it was unhealthy: 2 failures in a row")
    #expect(found.evidence.first == #"A check said: "HTTP 500""#)
  }

  @Test func conditionsOfAStartAreSaid() throws {
    let found = Explainer.explain(
      try known(
        #"{"name":"web","cmdline":"x","health_check_config":{"health_checker":{"shell":{"shell_command":"x"}}}},"#
          + #"{"name":"b","cmdline":"x","after":{"web":"healthy"}}"#,
        "",
        [.forked(process: "web", run: 0), .running(process: "web", run: 0)]))
    #expect(found.others == ["`b` waits for `web` to be healthy"])
  }

  @Test func aLaunchThatFailed() throws {
    let found = try launchFailure("the image x:1 is not in the image store", hint: "import it")
    #expect(found.kind == .launchFailed)
    #expect(
      found.text
        == "t-1 failed: the image x:1 is not in the image store. No process of it was started. What to try: import it.")
  }

  private func launchFailure(_ message: String, hint: String? = nil) throws -> Explanation {
    var evidence = try known(#"{"name":"web","cmdline":"x"}"#, "", [])
    evidence.verdict = Verdict(state: .failed, reason: Reason.launchFailed, message: message, hint: hint)
    evidence.hasEnded = true
    evidence.state = TaskState.failed.rawValue
    evidence.processes = []
    return Explainer.explain(evidence)
  }

  @Test func aLostTaskATimeLimitAndADockerStop() throws {
    let running: [TaskEvent] = [.forked(process: "web", run: 0), .running(process: "web", run: 0)]
    let lost = Explainer.explain(
      try known(#"{"name":"web","cmdline":"x"}"#, "", running + [.containerLost("init was killed")]))
    #expect(lost.kind == .lost)
    #expect(
      lost.text.utf8.starts(with: "t-1 was lost: init was killed. What became of its processes cannot be known".utf8))
    var late = try known(
      #"{"name":"web","cmdline":"x"}"#, #","max_completion_time":1"#,
      running + [.timer, .ended(process: "web", run: 0, .signaled(15))])
    late.hasEnded = true
    #expect(Explainer.explain(late).kind == .timeLimit)
    let stopped = Explainer.explain(
      try known(
        #"{"name":"web","cmdline":"x"}"#, "",
        running + [
          .stop(.graceful(by: "SIGTERM to the container from outside", origin: .container)),
          .ended(process: "web", run: 0, .signaled(15)),
        ]))
    #expect(stopped.kind == .stopped)
    #expect(stopped.next.first?.utf8.holds("docker events".utf8) == true)
  }

  @Test func aTaskThatRunsSaysWhatItWaitsFor() throws {
    let processes = #"{"name":"web","cmdline":"x"},{"name":"b","cmdline":"x"},{"name":"f","cmdline":"x","final":true}"#
    var evidence = try known(
      processes, #","constraints":[{"order":["web","b"]}]"#,
      [.forked(process: "web", run: 0), .running(process: "web", run: 0)])
    let found = Explainer.explain(evidence)
    #expect(
      found.text
        == "t-1 has not ended (TASK_RUNNING): it waits for `web` to end. `b` waits for `web`. `f` runs when the others have ended."
    )
    evidence.hasExecutor = false
    #expect(Explainer.explain(evidence).kind == .abandoned)
    #expect(Explainer.explain(evidence).next == ["`aurora-executor recover t-1` goes on with it"])
  }

  @Test func aTaskThatIsEndingSaysWhy() throws {
    let found = Explainer.explain(
      try known(
        #"{"name":"web","cmdline":"x"}"#, "",
        [.forked(process: "web", run: 0), .running(process: "web", run: 0), .stop(.graceful(by: "me"))]))
    #expect(found.kind == .ending)
    #expect(found.text.utf8.holds("it is ending, because: stopped by me".utf8))
    #expect(found.text.utf8.holds("It waits for `web` to end".utf8))
  }

  @Test func theSameAsJSON() throws {
    let json = try explain(.exited(3), stderr: ["oops"]).json
    #expect(json["cause"]?["kind"]?.string == "exit_status")
    #expect(json["decider"]?["process"]?.string == "web")
    #expect(json["next"]?.array?.count == 1)
    #expect(json["text"]?.string?.utf8.starts(with: "t-1 failed".utf8) == true)
  }
}
