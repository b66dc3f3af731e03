import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import Testing

@testable import TaskStore

@Suite struct JournalTests {
  private let path = "/tmp/aurora-journal-\(UInt32.random(in: 0..<UInt32.max))"

  private let events: [TaskEvent] = [
    .containerReady, .containerFailed(reason: "R", message: "m\n"),
    .containerFailed(reason: "R", message: "m", hint: "h"), .containerLost("l"),
    .forked(process: "a b", run: 0),
    .running(process: "a b", run: 0), .ended(process: "a b", run: 0, .exited(3)),
    .ended(process: "a b", run: 1, .signaled(11)),
    .ended(process: "x", run: 2, .outOfMemory(signal: 9, exitCode: nil, limitBytes: 5, peakBytes: 6)),
    .ended(process: "x", run: 3, .cannotStart(.noShell, reason: "r", hint: "h")),
    .ended(process: "x", run: 4, .lost("why")),
    .healthy, .unhealthy("u"), .limitation(reason: "D", message: "d"), .stop(.graceful(by: "x")), .stop(.now(by: "y")),
    .stop(.graceful(by: "x", origin: .container)), .stop(.now(by: "y", origin: .signal)),
    .lifecycleAnswered(handled: true), .strays(2), .allGone, .timer, .resumed,
  ]

  private func write() throws {
    let journal = try Journal(creating: path)
    for (index, event) in events.enumerated() {
      let (type, members) = event.journalForm
      journal.append(type, members, at: UInt64(index))
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

  @Test func anEndOfAnOlderJournalIsOfNoKnownKind() throws {
    let older = try JSON(parsing: Array(#"{"reason":"cannot_start","message":"m","hint":"h"}"#.utf8))
    #expect(RunOutcome(journal: older) == .cannotStart(.other, reason: "m", hint: "h"))
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

  /// Every value of every line changed in turn, with the checksum made right again: what a reader makes of it is its
  /// own affair, but it reads on, or stops, and the machine takes whatever comes of it.
  @Test func noJournalIsTooOddToBeReplayed() throws {
    defer { try? removeFile(path) }
    try write()
    let lines = try readFile(path).split(separator: UInt8(ascii: "\n")).map(Array.init)
    let (document, _) = TaskDocument.decode(
      Array(#"{"name":"t","processes":[{"name":"a b","cmdline":"x"},{"name":"x","cmdline":"y","final":true}]}"#.utf8))
    let (task, _) = try #require(document).bind(Bindings(taskID: "t", role: "r", hostname: "h"))
    let fresh = TaskMachine(try #require(task))
    var replayed = 0
    for index in lines.indices {
      for line in JournalTests.changes(of: lines[index]) {
        var changed = lines
        changed[index] = line
        let contents = JournalContents(parsing: changed.flatMap { $0 + [UInt8(ascii: "\n")] })
        #expect(contents.isDamaged == (contents.goodBytes < contents.totalBytes))
        var machine = fresh
        for record in contents.records {
          if let event = TaskEvent(journal: record) { _ = machine.handle(event, at: record.boot) }
        }
        if !contents.isDamaged { replayed += 1 }
      }
    }
    #expect(replayed > 300)
  }

  /// The line with something put before one of its values.
  private static func changes(of line: [UInt8]) -> [[UInt8]] {
    let body = Array(line.dropLast(#","crc":"01234567"}"#.utf8.count))
    return body.indices.filter { body[$0] == UInt8(ascii: ":") }.flatMap { colon in
      ["-", "9", "9999999999", "99999999999999999999", "0.", "null,\"x\":", "true,\"x\":", "\"\",\"x\":", "{},\"x\":"]
        .map {
          let changed: [UInt8] = Array(body[...colon]) + Array($0.utf8) + Array(body[(colon + 1)...])
          let sum = String(UInt64(Checksum.crc32c(changed)) | 1 << 32, radix: 16).dropFirst()
          return changed + Array(#","crc":"\#(sum)"}"#.utf8)
        }
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
