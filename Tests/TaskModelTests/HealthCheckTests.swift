import Testing

@testable import TaskModel

/// Health checks as documents describe them.
@Suite struct HealthCheckTests {
  private func bindings(_ ports: [String: Int]) -> Bindings {
    Bindings(taskID: "t", role: "nobody", hostname: "h", ports: ports)
  }

  private func task(_ config: String, process: String = "", ports: [String: Int] = [:]) throws -> TaskSpecification {
    let text = #"{"processes":[{"name":"p","cmdline":"x"\#(process)}]\#(config)}"#
    return try bound(text, bindings(ports))
  }

  @Test func withoutAPortNamedHealthThereIsNone() throws {
    #expect(try task("").healthCheck == nil)
    #expect(try task(#","health_check_config":{"interval_secs":1}"#).healthCheck == nil)
  }

  @Test func aPortNamedHealthIsAskedOverHTTP() throws {
    let check = try #require(try task("", ports: ["health": 8080]).healthCheck)
    #expect(check.probe == .http(port: 8080, endpoint: "/health", expectedResponse: "ok", expectedResponseCode: 0))
  }

  @Test func aCommandWinsOverAConnectionAndThatOverHTTP() throws {
    let all = #""http":{},"tcp":{"port":"1234"},"shell":{"shell_command":"true"}"#
    let config = #","health_check_config":{"health_checker":{\#(all)}}"#
    #expect(try task(config).healthCheck?.probe == .shell(command: "true"))
    let two = #","health_check_config":{"health_checker":{"http":{},"tcp":{"port":"1234"}}}"#
    #expect(try task(two, ports: ["health": 1]).healthCheck?.probe == .tcp(port: 1234))
  }

  @Test func aProcessHasItsOwn() throws {
    let process = #","health_check_config":{"health_checker":{"tcp":{"port":"db"}},"interval_secs":0.5}"#
    let check = try #require(try task("", process: process, ports: ["db": 5432]).processes[0].healthCheck)
    #expect(check.probe == .tcp(port: 5432))
    #expect(check.interval == 0.5)
    #expect(check.timeout == 1)
  }

  /// Checks are made at the executor's cost.
  @Test(arguments: ["0.099", "1e-9", "0", "-1"]) func checksAreATenthOfASecondApart(interval: String) {
    let config = #""health_check_config":{"interval_secs":\#(interval)}"#
    let said = "\(interval) is out of range: from 0.1 to 1000000000"
    #expect(
      faults(#"{"processes":[{"name":"p","cmdline":"x"}],\#(config)}"#) == [
        "1:82: health_check_config.interval_secs: \(said)"
      ])
    #expect(
      faults(#"{"processes":[{"name":"p","cmdline":"x",\#(config)}]}"#).contains {
        $0.hasSuffix("processes[0].health_check_config.interval_secs: \(said)")
      })
    #expect(faults(#"{"processes":[{"name":"p","cmdline":"x"}],"health_check_config":{"interval_secs":0.1}}"#) == [])
  }

  @Test func aPortThatIsAskedAndHasNoNumberIsNamed() throws {
    let process = #","health_check_config":{"health_checker":{"tcp":{"port":"db"}}}"#
    let text = #"{"processes":[{"name":"p","cmdline":"x"\#(process)}]}"#
    let found = try bindingFaults(text, bindings([:]))
    #expect(found.count == 1)
    let said = "the health check asks the port \"db\", which has no number (--port db:NUMBER gives it one)"
    #expect(found.first?.hasSuffix("processes[0].health_check_config: \(said)") == true, "\(found)")
    // It is one of those whose numbers must be given, as one that a template names.
    #expect(TaskDocument.decode(Array(text.utf8)).document?.referencedPorts == ["db"])
    #expect(faults(text) == [])
  }

  @Test func aliasesLeadToThePort() throws {
    let config =
      #","announce":{"portmap":{"admin":"http"}},"#
      + #""health_check_config":{"health_checker":{"http":{"port":"admin","endpoint":"status"}}}"#
    let check = try #require(try task(config, ports: ["http": 80]).healthCheck)
    #expect(check.probe == .http(port: 80, endpoint: "/status", expectedResponse: "ok", expectedResponseCode: 0))
  }

  @Test func namesInAfterMayHoldTemplates() throws {
    let name = "a-{{thermos.user}}{{thermos.task_id}}"
    let after = #"{"\#(name)":"started"}"#
    let text = #"{"processes":[{"name":"\#(name)","cmdline":"x"},{"name":"b","cmdline":"x","after":\#(after)}]}"#
    let task = try bound(text, bindings([:]))
    #expect(task.processes[1].after == [Prerequisite("a-nobodyt", .started)])
  }
}
