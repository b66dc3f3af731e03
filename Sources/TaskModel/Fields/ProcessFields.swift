/// `Process`, `Logger` and what they hold.
enum ProcessFields {
  static let name = Field(
    "name", .text(.fileName), required: true,
    "Names the process and its log directory: not empty, no leading dot, no slash, unique in the task.")
  static let cmdline = Field("cmdline", .text(.command), required: true, "The command line, run by a shell.")
  static let maxFailures = Field(
    "max_failures", .count, standard: 1, "Failed runs after which the process has failed for good; 0: no limit.")
  static let daemon = Field("daemon", .flag, standard: false, "Run again after a success.")
  static let ephemeral = Field("ephemeral", .flag, standard: false, "Does not keep the task going.")
  static let minDuration = Field(
    "min_duration", .seconds, standard: 5, "Seconds from the end of a run to the start of the next.")
  static let isFinal = Field("final", .flag, standard: false, "Runs when the regular processes are done.")
  static let logger = Field("logger", .record(LoggerFields.record), "Where the output goes.")
  static let resources = Field("resources", .kept, ignored: true, "Accepted and not used, as by Thermos.")
  static let after = Field(
    "after", .names(.fileName, each: Prerequisite.Condition.allCases.map(\.rawValue)), standard: [],
    "Processes that must have finished first, or have started or become healthy; adds to `constraints`.")
  static let successExitCodes = Field(
    "success_exit_codes", .list(.integer(0...255), atLeast: 1), standard: [0], "Exit statuses that are a success.")
  static let stopSignal = Field("stop_signal", .signal, standard: "SIGTERM", "The signal that asks a run to end.")
  static let stopTimeout = Field(
    "stop_timeout", .seconds, "Seconds from that signal to SIGKILL; absent: what `finalization_wait` leaves.")
  static let backoff = Field("backoff", .record(BackoffFields.record), "Longer waits after failures in a row.")
  static let health = Field(
    "health_check_config", .record(HealthFields.record), "When a run of this process counts as healthy.")

  static let record = RecordType(
    "Process", "One command of the task.",
    [
      name, cmdline, maxFailures, daemon, ephemeral, minDuration, isFinal, logger, resources, after,
      successExitCodes, stopSignal, stopTimeout, backoff, health,
    ])
}

enum LoggerFields {
  static let destination = Field(
    "destination", .choice(["file", "console", "both", "none"]), standard: "file",
    "Log files, the executor's own standard output and standard error, both, or nowhere.")
  static let mode = Field(
    "mode", .choice(["standard", "rotate"]), standard: "rotate",
    "`standard`: one file, as long as it fits into the ceiling of all logs.")
  static let rotate = Field("rotate", .record(RotateFields.record), "When files are rotated, in the mode `rotate`.")

  static let record = RecordType("Logger", "Where the output of a process goes.", [destination, mode, rotate])
}

enum RotateFields {
  static let logSize = Field(
    "log_size", .integer(1...(1 << 50)), standard: 104_857_600,
    "Bytes of a file before it is rotated; less than 4096 counts as 4096.")
  static let backups = Field("backups", .integer(0...10_000), standard: 5, "Rotated files that are kept.")

  static let record = RecordType("RotatePolicy", "When log files are rotated.", [logSize, backups])
}

enum BackoffFields {
  static let factor = Field("factor", .number(1...1000), standard: 2, "By how much each wait is longer than the last.")
  static let max = Field("max", .seconds, standard: 300, "Seconds that no wait exceeds.")
  static let jitter = Field("jitter", .number(0...1), standard: 0, "The share of a wait that is left to chance.")

  static let record = RecordType(
    "Backoff", "`min_duration` multiplied by `factor` for each further failure in a row.", [factor, max, jitter])
}
