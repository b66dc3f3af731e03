import LaunchModel
import TaskModel
import Testing

@testable import Supervision

/// What an answer says of somebody's health.
@Suite struct HealthVerdictTests {
  private func http(expected: String = "ok", code: Int = 0) -> HealthCheck {
    HealthCheck(
      probe: .http(port: 1, endpoint: "/health", expectedResponse: expected, expectedResponseCode: code))
  }

  private func answer(_ body: String, _ check: HealthCheck, status: Int = 200) -> HealthCounter.Outcome? {
    HealthVerdict.of(.response(status: status, body: Array(body.utf8)), check)?.outcome
  }

  @Test func blanksAndCaseDoNotMatter() {
    #expect(answer("\r\n OK \n", http()) == .success)
    #expect(answer("ok", http(expected: " Ok ")) == .success)
  }

  @Test func anErrorPageIsNoAnswer() {
    #expect(answer("ok", http(), status: 503) != .success)
    #expect(answer("ok", http(expected: "", code: 503), status: 503) == .success)
  }

  @Test func theBodyIsComparedBeforeTheStatus() {
    guard case .failure(let why)? = answer("no", http(code: 200), status: 201) else { return #expect(Bool(false)) }
    #expect(why == "Response differs from expected response (expected \"ok\", got \"no\")")
  }

  @Test func whoCouldNotBeAskedHasNotFailed() {
    #expect(HealthVerdict.of(.notAsked, http()) == nil)
  }

  @Test func whatIsShownCannotForgeALine() {
    guard case .failure(let why)? = answer("a\u{1b}[2J\nb", http()) else { return #expect(Bool(false)) }
    #expect(!why.utf8.contains(0x1b) && !why.utf8.contains(0x0a))
  }

  @Test func theEndOfALongOutputIsShown() {
    var record = ExitRecord(key: RunKey("", 0), waitStatus: 1 << 8, bootTime: 0, wallTime: 0)
    let check = HealthCheck(probe: .shell(command: "check"))
    let output = Array(repeating: UInt8(ascii: "x"), count: 4000) + Array("the reason\n".utf8)
    let finding = HealthVerdict.of(.ended(record, output: output), check)
    guard case .failure(let why)? = finding?.outcome else { return #expect(Bool(false)) }
    #expect(why.hasPrefix("Command 'check' returned non-zero exit status 1 with output '…x"))
    #expect(why.hasSuffix("the reason'"))
    record.waitStatus = 9
    guard case .failure(let killed)? = HealthVerdict.of(.ended(record, output: []), check)?.outcome else {
      return #expect(Bool(false))
    }
    #expect(killed == "Command 'check' was killed by SIGKILL with output ''")
  }
}
