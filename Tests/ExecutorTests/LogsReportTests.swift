import TaskModel
import Testing

@testable import Executor

@Suite struct LogsReportTests {
  @Test func theReportNamesWhatIsNotAsAsked() {
    let big = ProcessDefinition(
      name: "big", command: "true", logger: LoggerConfig(mode: .rotate, logSize: 1 << 30, backups: 4))
    let plain = ProcessDefinition(
      name: "plain", command: "true", logger: LoggerConfig(mode: .rotate, logSize: 4096, backups: 4))
    let lines = LogsReport([big, plain], ceiling: 1 << 20).lines
    #expect(lines.first == "logs       at most 1 MiB, of all runs")
    #expect(lines.count == 2)
    #expect(lines.last?.contains("big: a stream has a file of ") == true)
    #expect(lines.last?.contains(" instead of 1 GiB and 4 old ones") == true)
  }
}
