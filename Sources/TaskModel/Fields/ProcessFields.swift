/// `Process`, `Logger` and what they hold.
enum ProcessFields {
  static let name = Field(
    "name", .text(.fileName), required: true,
    "Names the process and its log directory: not empty, no leading dot, no slash, unique in the task.")
  static let cmdline = Field("cmdline", .text(.command), required: true, "The command line, run by a shell.")
  static let after = Field(
    "after", .names(.fileName, each: Prerequisite.Condition.allCases.map(\.rawValue)), standard: [],
    "Processes that must have finished first, or have started or become healthy; adds to `constraints`.")
  static let health = Field(
    "health_check_config", .record(HealthFields.table.record), "When a run of this process counts as healthy.")
  private static let resources = Field("resources", .kept, ignored: true, "Accepted and not used, as by Thermos.")

  static let table = RecordTable<ProcessDefinition>(
    "Process", "One command of the task.",
    [
      .other(name), Row("cmdline", .text(.command), required: true, \.command, "The command line, run by a shell."),
      Row(
        "max_failures", .count, \.maxFailures, "Failed runs after which the process has failed for good; 0: no limit."),
      Row("daemon", .flag, \.isDaemon, "Run again after a success."),
      Row("ephemeral", .flag, \.isEphemeral, "Does not keep the task going."),
      Row("min_duration", .seconds, \.minDuration, "Seconds from the end of a run to the start of the next."),
      Row("final", .flag, \.isFinal, "Runs when the regular processes are done."),
      Row("logger", LoggerFields.table, \.logger, "Where the output goes."), .other(resources), .other(after),
      Row(
        "success_exit_codes", .list(.integer(0...255), atLeast: 1), \.successExitCodes,
        "Exit statuses that are a success."),
      Row("stop_signal", signal: \.stopSignal, "The signal that asks a run to end."),
      Row(
        "stop_timeout", .seconds, \.stopTimeout,
        "Seconds from that signal to SIGKILL; absent: what `finalization_wait` leaves."),
      Row("backoff", BackoffFields.table, \.backoff, "Longer waits after failures in a row."), .other(health),
    ])
}

extension ProcessDefinition: RecordValue {
  static let standard = ProcessDefinition(name: "", command: nil)
}

enum LoggerFields {
  static let table = RecordTable<LoggerConfig>(
    "Logger", "Where the output of a process goes.",
    [
      Row(
        "destination", .choice(of: LoggerConfig.Destination.self), \.destination,
        "Log files, the executor's own standard output and standard error, both, or nowhere."),
      Row(
        "mode", .choice(of: LoggerConfig.Mode.self), \.mode,
        "`standard`: one file, as long as it fits into the ceiling of all logs."),
      Row("rotate", within: rotation, "When files are rotated, in the mode `rotate`."),
    ])

  private static let rotation = RecordTable<LoggerConfig>(
    "RotatePolicy", "When log files are rotated.",
    [
      Row(
        "log_size", .integer(1...(1 << 50)), \.logSize,
        "Bytes of a file before it is rotated; less than 4096 counts as 4096."),
      Row("backups", .integer(0...10_000), \.backups, "Rotated files that are kept."),
    ])
}

extension LoggerConfig: RecordValue {
  static let standard = LoggerConfig()
}
extension LoggerConfig.Destination: FieldValue {}
extension LoggerConfig.Mode: FieldValue {}

enum BackoffFields {
  static let table = RecordTable<Backoff>(
    "Backoff", "`min_duration` multiplied by `factor` for each further failure in a row.",
    [
      Row("factor", .number(1...1000), \.factor, "By how much each wait is longer than the last."),
      Row("max", .seconds, \.max, "Seconds that no wait exceeds."),
      Row("jitter", .number(0...1), \.jitter, "The share of a wait that is left to chance."),
    ])
}

extension Backoff: RecordValue {
  static let standard = Backoff()
}
