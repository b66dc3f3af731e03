import StrictJSON
import Testing

@testable import Supervision

@Suite struct ControlRequestTests {
  @Test(arguments: [ControlRequest.stop, .kill, .status, .subscribe, .restart(process: "a \"b\"")])
  func aRequestIsReadAsItIsWritten(request: ControlRequest) throws {
    #expect(try ControlRequest(line: Array(request.json(tasks: nil).compact.utf8), tasks: "1:2:3") == request)
  }

  @Test(arguments: [
    "", "stop", "[]", "{}", #"{"version":1}"#, #"{"version":2,"request":"stop"}"#,
    #"{"version":1,"request":"restart"}"#,
    #"{"version":1,"request":"dance"}"#, #"{"version":"1","request":"stop"}"#, "\u{0}",
  ])
  func whatIsNoneSaysWhy(line: String) {
    #expect(throws: ControlRequest.Problem.self) { try ControlRequest(line: Array(line.utf8), tasks: nil) }
  }

  @Test func whatANewerOneAddsIsPassedOver() throws {
    #expect(try ControlRequest(line: Array(#"{"version":1,"new":[1],"request":"stop"}"#.utf8), tasks: nil) == .stop)
  }

  @Test func whatIsMeantForAnotherTaskIsRefused() throws {
    let line = Array(ControlRequest.stop.json(tasks: "1:2:3").compact.utf8)
    #expect(try ControlRequest(line: line, tasks: "1:2:3") == .stop)
    #expect(throws: ControlRequest.Problem.self) { try ControlRequest(line: line, tasks: "1:2:4") }
  }
}
