import Glibc
import LinuxKernel
import PlayedInit
import StrictJSON
import TaskModel
import TaskStore
import Testing

@testable import Supervision

/// Status updates and remarks, as people and programs get them: on standard output, on standard error, and on a descriptor
/// for programs.
@Suite struct StatusPublisherTests {
  private let output: DescriptorPair
  private let errors: DescriptorPair
  private let status: DescriptorPair

  init() throws {
    (output, errors, status) = (
      try makePipe(nonBlocking: true), try makePipe(nonBlocking: true), try makePipe(nonBlocking: true)
    )
  }

  private func publisher(_ style: StatusPublisher.Style, starter: SharedDescriptor? = nil) throws -> StatusPublisher {
    try StatusPublisher(
      taskID: "t-1", style: style, statusDescriptor: status.second, starter: starter,
      streams: .init(output: output.second.rawValue, errors: errors.second.rawValue))
  }

  private func text(_ pipe: DescriptorPair) throws -> String {
    var all: [UInt8] = []
    while let piece = try pipe.first.descriptor.read(upTo: 65536), !piece.isEmpty { all += piece }
    return String(decoding: all, as: UTF8.self)
  }

  private let line =
    #"{"task_id":"t-1","state":"TASK_FAILED","reason":"R","message":"no","hint":"try","timestamp":"1970-01-01T00:00:01.000Z"}"#
    + "\n"

  @Test func peopleGetText() throws {
    let publisher = try publisher(.plain)
    publisher.update(.failed, reason: "R", message: "no", hint: "try", wall: 1_000_000_000)
    publisher.note("a remark")
    publisher.warning("look")
    #expect(try text(errors) == "TASK_FAILED  no  (R)\nhint: try\na remark\nwarning: look\n")
    #expect(try text(output).isEmpty)
    #expect(try text(status) == line)
  }

  @Test func programsGetALineEach() throws {
    let publisher = try publisher(.json)
    publisher.update(.failed, reason: "R", message: "no", hint: "try", wall: 1_000_000_000)
    publisher.note("a remark")
    publisher.warning("look")
    #expect(try text(output) == line && text(status) == line)
    // Standard output is theirs alone; what matters is said beside it.
    #expect(try text(errors) == "warning: look\n")
  }

  @Test func whoTellsHimselfIsToldOnlyWarnings() throws {
    let starter = try makePipe(nonBlocking: true)
    var publisher = try publisher(.plain, starter: starter.second)
    publisher.isSilent = true
    publisher.update(.running, reason: nil, message: nil)
    publisher.note("a remark")
    publisher.warning("look")
    publisher.tookOver()
    #expect(try text(errors) == "warning: look\n")
    #expect(try text(status).contains("TASK_RUNNING"))
    // Who has started it knows that it goes on; who only reads updates does not want that.
    #expect(try text(starter).hasSuffix("{\"taken_over\":true}\n"))
    #expect(try text(status).isEmpty)
  }

  @Test func aFailureIsSaidWithItsHint() throws {
    let result = try publisher(.plain).run { () throws(ExecutorFailure) in
      throw ExecutorFailure(.unavailable, "no engine", hint: "start one")
    }
    guard case .failure(let failure) = result else {
      Issue.record("it has not failed")
      return
    }
    #expect(failure.kind == .unavailable)
    #expect(try text(errors) == "error: no engine\nhint: start one\n")
  }

  @Test func twoDescriptorsOfOneFileHaveOneOrder() throws {
    let publisher = try StatusPublisher(
      taskID: "t-1", style: .plain, statusDescriptor: output.second,
      streams: .init(output: output.second.rawValue, errors: output.second.rawValue))
    publisher.output.output.show(Array("half".utf8))
    publisher.note("a remark")
    publisher.output.output.show(Array("more".utf8))
    // Nothing is put into a line of another's.
    #expect(try text(output) == "half\na remark\nmore")
  }

  @Test func whoDoesNotReadIsNotWaitedForLongAndThatIsSaid() throws {
    let publisher = try publisher(.plain)
    publisher.output.output.show([UInt8](repeating: 1, count: 300_000))
    let began = Clock.now
    publisher.output.finish()
    #expect(Clock.now - began < 5_000_000_000)
    let said = try text(errors)
    #expect(said.hasPrefix("warning: standard output: ") && said.hasSuffix("could not be shown: nobody reads it\n"))
  }

  @Test func whoReadsLateGetsEverything() throws {
    let publisher = try publisher(.plain)
    let end = output.first
    publisher.output.output.show([UInt8](repeating: 1, count: 300_000))
    let reader = try Aside {
      var count = 0
      while count < 300_000,
        try waitUntilReady(end.rawValue, read: true, write: false, timeoutMilliseconds: 10_000)
      {
        count += try end.descriptor.read(upTo: 65536)?.count ?? 0
      }
      return count
    }
    publisher.output.finish()
    #expect(try reader.join() == 300_000)
    #expect(try text(errors).isEmpty)
  }
}
