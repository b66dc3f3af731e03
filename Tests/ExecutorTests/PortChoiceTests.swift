import LinuxKernel
import Testing

@testable import Executor
@testable import TaskStore

// One after the other: they reserve ports of the same range.
@Suite(.serialized) struct PortChoiceTests {
  @Test func numbersAreTakenAndTheLastOfEqualNamesCounts() throws {
    #expect(try PortChoice(["http:8080", "a:b:1", "http:auto", "http:65535"]).numbers == ["http": 65535, "a:b": 1])
  }

  @Test func aFreePortOfItsOwnIsChosenForEachName() throws {
    let numbers = try PortChoice((0..<50).map { "p\($0):auto" } + ["p0:31000"]).numbers
    #expect(numbers.count == 50)
    #expect(Set(numbers.values).count == 50)
    #expect(numbers["p0"] == 31000)
    #expect(numbers.values.allSatisfy { PortChoice.range.contains($0) })
  }

  @Test func aPortIsFreeAgainWhenItWasChosen() throws {
    let port = try #require(try PortChoice(["a:auto"]).numbers["a"])
    let held = try TCPPort.reserve(UInt16(port))
    let failure = #expect(throws: Errno.self) { _ = try TCPPort.reserve(UInt16(port)).rawValue }
    #expect(failure?.name == "EADDRINUSE")
    #expect(held.rawValue >= 0)
  }

  @Test(arguments: ["", "http", ":", "http:", ":80", ":auto", "http:0", "http:65536", "http:080", "http:+1", "http:-1"])
  func whatIsNoPortIsRefused(option: String) {
    let failure = #expect(throws: ExecutorFailure.self) { try PortChoice([option]) }
    #expect(failure?.kind == .usage)
  }
}
