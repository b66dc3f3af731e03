import LaunchModel
import TaskModel
import Testing

@testable import TaskStore

@Suite struct LogBoundTests {
  private static let standard = LogMode.files(maximumBytes: .max, backups: .max)

  private func process(_ name: String, _ destination: LoggerConfig.Destination = .file) -> ProcessDefinition {
    ProcessDefinition(name: name, command: "true", logger: LoggerConfig(destination: destination))
  }

  private func bound(_ ceiling: UInt64, processes: Int = 1) -> LogBound {
    LogBound(ceiling: ceiling, (0..<processes).map { process("p\($0)") })
  }

  private func files(_ mode: LogMode) -> (size: UInt64, backups: UInt32) {
    if case .files(let size, let backups) = mode { return (size, backups) }
    return (0, 0)
  }

  @Test func theStreamsOfAllProcessesThatKeepALogShareTheCeiling() {
    #expect(LogBound(ceiling: 800, [process("a"), process("b", .both)]).bytes == 200)
    #expect(LogBound(ceiling: 800, [process("a"), process("b", .console), process("c", .none)]).bytes == 400)
    #expect(LogBound(ceiling: 800, [process("a", .none)]).bytes == 400)
  }

  @Test func whatFitsIsLeftAsItIs() {
    let asked = LogMode.files(maximumBytes: 100 << 20, backups: 5)
    #expect(bound(10 << 30).hold(asked) == asked)
    #expect(bound(10 << 30).hold(.discard) == .discard)
  }

  @Test func aLogWithoutRotationGetsTenPieces() {
    let (size, backups) = files(bound(10 << 30).hold(LogBoundTests.standard))
    #expect(backups == 9)
    #expect((250 << 20...512 << 20).contains(size))
  }

  /// Whatever is asked for, what a stream can take stays within its share: where that is no less than three small files.
  @Test func nothingThatIsAskedForExceedsTheBound() {
    for ceiling: UInt64 in [1 << 20, 3 << 20, 100 << 20, 10 << 30, 1 << 60] {
      for processes in [1, 7, 100] {
        for size: UInt64 in [0, 4096, 65536, 100_000, 1 << 20, 100 << 20, 1 << 40, .max] {
          for backups: UInt32 in [0, 1, 5, 9, 10, 11, 2000, .max] {
            let bound = bound(ceiling, processes: processes)
            let held = files(bound.hold(.files(maximumBytes: size, backups: backups)))
            let most = LogFileBounds(maximumBytes: held.size).most(backups: held.backups)
            #expect(most <= max(bound.bytes, 3 * 24576), "\(ceiling) \(processes) \(size) \(backups)")
            #expect(held.size <= max(size, 4096) && held.backups <= backups)
          }
        }
      }
    }
  }

  /// Files of the size that was asked for, and fewer of them, rather than small ones.
  @Test func manySmallFilesBecomeFewer() {
    let (size, backups) = files(bound(1 << 30).hold(.files(maximumBytes: 1 << 20, backups: 2000)))
    #expect(size == 1 << 20)
    #expect((200...400).contains(backups))
  }
}
