import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import Testing

@testable import Executor

@Suite struct JournalTests {
  private let path = "/tmp/aurora-journal-\(UInt32.random(in: 0..<UInt32.max))"

  private let events: [TaskEvent] = [
    .containerReady, .containerFailed(reason: "R", message: "m\n"), .containerLost("l"),
    .forked(process: "a b", run: 0),
    .running(process: "a b", run: 0), .ended(process: "a b", run: 0, .exited(3)),
    .ended(process: "a b", run: 1, .signaled(11)),
    .ended(process: "x", run: 2, .outOfMemory(signal: 9, exitCode: nil, limitBytes: 5, peakBytes: 6)),
    .ended(process: "x", run: 3, .cannotStart(reason: "r", hint: "h")), .ended(process: "x", run: 4, .lost("why")),
    .healthy, .unhealthy("u"), .limitation(reason: "D", message: "d"), .stop(.graceful(by: "x")), .stop(.now(by: "y")),
    .lifecycleAnswered(handled: true), .strays(2), .allGone, .timer, .resumed,
  ]

  private func write() throws {
    let journal = try Journal(creating: path)
    for (index, event) in events.enumerated() {
      let (type, members) = event.journalForm
      try journal.append(type, members, at: UInt64(index))
    }
  }

  @Test func everyEventIsReadBackEqual() throws {
    defer { try? removeFile(path) }
    try write()
    let contents = try JournalContents(reading: path)
    #expect(contents.records.compactMap { TaskEvent(journal: $0) } == events)
    #expect(contents.records.map(\.boot) == (0..<UInt64(events.count)).map { $0 })
    #expect(!contents.isDamaged)
  }

  @Test func aTornTailIsCutOffAndWrittenOver() throws {
    defer { try? removeFile(path) }
    try write()
    let bytes = try readFile(path)
    let torn = JournalContents(parsing: Array(bytes.dropLast(7)))
    #expect(torn.records.count == events.count - 1)
    #expect(!torn.isDamaged)
    try writeFileAtomically(path, Array(bytes.dropLast(7)))
    try Journal(continuing: path, after: JournalContents(reading: path)).append("timer", [], at: 99)
    let contents = try JournalContents(reading: path)
    #expect(contents.records.count == events.count)
    #expect(contents.records.last?.boot == 99)
  }

  @Test func aChangedByteIsNeverTakenForARecord() throws {
    defer { try? removeFile(path) }
    try write()
    let bytes = try readFile(path)
    for index in stride(from: 0, to: bytes.count, by: 7) {
      var changed = bytes
      changed[index] ^= 0x01
      let contents = JournalContents(parsing: changed)
      #expect(contents.records.count < events.count)
    }
  }

  /// Lines that are changed at random, with their checksums made right again: what a reader makes of them is its own
  /// affair, but it reads on, or stops, and the machine takes whatever comes of it.
  @Test func noJournalIsTooOddToBeReplayed() throws {
    defer { try? removeFile(path) }
    try write()
    let lines = try readFile(path).split(separator: UInt8(ascii: "\n")).map(Array.init)
    let (document, _) = TaskDocument.decode(
      Array(#"{"name":"t","processes":[{"name":"a b","cmdline":"x"},{"name":"x","cmdline":"y","final":true}]}"#.utf8))
    let (task, _) = try #require(document).bind(Bindings(taskID: "t", role: "r", hostname: "h"))
    let fresh = TaskMachine(try #require(task))
    var numbers = SystemRandomNumberGenerator()
    for _ in 0..<3000 {
      var text: [UInt8] = []
      for line in lines {
        var body = Array(line.dropLast(#","crc":"01234567"}"#.utf8.count))
        if UInt8.random(in: 0..<4, using: &numbers) == 0 { JournalTests.change(&body, &numbers) }
        let sum = String(UInt64(Checksum.crc32c(body[...])) | 1 << 32, radix: 16).dropFirst()
        text += body + Array(#","crc":"\#(sum)"}"#.utf8) + [UInt8(ascii: "\n")]
      }
      let contents = JournalContents(parsing: text)
      #expect(contents.goodBytes <= contents.totalBytes)
      #expect(contents.isDamaged == (contents.goodBytes < contents.totalBytes))
      var machine = fresh
      for record in contents.records {
        if let event = TaskEvent(journal: record) { _ = machine.handle(event, at: record.boot) }
      }
    }
  }

  /// A digit, a minus or a piece of text more, or a piece less.
  private static func change(_ body: inout [UInt8], _ numbers: inout SystemRandomNumberGenerator) {
    let at = Int.random(in: 1..<body.count, using: &numbers)
    let words = ["-", "9", "99999999999999999", "null", "\"", "true", ".5", "e9", "[]", "{}", "0", ",\"run\":-1"]
    switch UInt8.random(in: 0..<3, using: &numbers) {
    case 0: body.insert(contentsOf: Array((words.randomElement(using: &numbers) ?? "-").utf8), at: at)
    case 1: body[at] = UInt8.random(in: 0x20..<0x7f, using: &numbers)
    default: body.removeSubrange(at..<min(body.count, at + Int.random(in: 1...12, using: &numbers)))
    }
  }

  @Test func aReplayGivesTheStateThatWas() throws {
    let (document, _) = TaskDocument.decode(
      Array(#"{"name":"t","processes":[{"name":"a","cmdline":"x","max_failures":3,"min_duration":0}]}"#.utf8))
    let (task, _) = try #require(document).bind(Bindings(taskID: "t", role: "r", hostname: "h"))
    var machine = TaskMachine(try #require(task))
    var log: [(TaskEvent, UInt64)] = []
    for (index, event) in [
      TaskEvent.containerReady, .forked(process: "a", run: 0), .running(process: "a", run: 0),
      .ended(process: "a", run: 0, .exited(1)), .timer, .forked(process: "a", run: 1),
    ].enumerated() {
      _ = machine.handle(event, at: UInt64(index))
      log.append((event, UInt64(index)))
    }
    var replayed = TaskMachine(machine.task)
    for (event, instant) in log { _ = replayed.handle(event, at: instant) }
    #expect(replayed.processes == machine.processes)
    #expect(replayed.liveRuns == machine.liveRuns)
  }
}
