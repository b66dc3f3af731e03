import Glibc
import LinuxKernel
import Testing

@testable import Supervision

/// What is put into a queue and what comes out, with somebody who reads late.
struct OutputQueueTests {
  private let reader: SharedDescriptor
  private let writer: SharedDescriptor
  private let queue: OutputQueue

  init() throws {
    let pipe = try makePipe()
    (reader, writer) = (pipe.first, pipe.second)
    try reader.descriptor.setNonBlocking(true)
    queue = OutputQueue("test", try OutputDescriptor(writer.rawValue), hasUpdates: true)
  }

  private func received() throws -> String {
    var all: [UInt8] = []
    while let piece = try reader.descriptor.read(upTo: 65536), !piece.isEmpty {
      all += piece
      queue.flush()
    }
    return String(decoding: all, as: UTF8.self)
  }

  @Test func anUpdateEndsALineThatHasNoEnd() throws {
    queue.update("{1}")
    queue.show(Array("half".utf8))
    queue.update("{2}")
    #expect(try received() == "{1}\nhalf\n{2}\n")
  }

  @Test func aPipeThatIsFullIsGoneOnWithAndItsOpenFileStaysAsItWas() throws {
    let output = [UInt8](repeating: UInt8(ascii: "x"), count: 200_000)
    queue.show(output)
    #expect(!queue.isEmpty)
    #expect(queue.written < queue.accepted)
    queue.update("last")
    #expect(try received() == String(repeating: "x", count: 200_000) + "\nlast\n")
    #expect(queue.isEmpty)
    #expect(queue.written == queue.accepted)
    // A caller's descriptor still waits: with O_NONBLOCK this would say that there is nothing.
    #expect(fcntl(writer.rawValue, F_GETFL) & O_NONBLOCK == 0)
  }

  @Test func notesAreLeftOutWhenNobodyReadsAndUpdatesAreNot() throws {
    queue.show([UInt8](repeating: UInt8(ascii: "x"), count: 200_000))
    #expect(!queue.note("not this one"))
    queue.update("an update")
    let text = try received()
    #expect(text.hasSuffix("\nan update\n"))
    #expect(queue.note("another"))
    #expect(try received() == "warning: 1 lines were left out here: nobody was reading\nanother\n")
  }

  @Test func whatNobodyCanReadAnyMoreIsDropped() throws {
    CurrentProcess.ignoreBrokenPipes()
    func queueWithoutReader() throws -> (OutputQueue, SharedDescriptor) {
      let pipe = try makePipe()
      return (OutputQueue("test", try OutputDescriptor(pipe.second.rawValue), hasUpdates: false), pipe.second)
    }
    let (queue, writer) = try queueWithoutReader()
    defer { withExtendedLifetime(writer) {} }
    queue.update("x")
    #expect(queue.isEmpty)
  }
}
