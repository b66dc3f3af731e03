/// `Task`, `Constraint` and `Resources`.
enum TaskFields {
  static let name = Field("name", .text(.fileName), "Names the task; by default the first process's name.")
  static let processes = Field(
    "processes", .list(.record(ProcessFields.table.record)), standard: [],
    "What is run; may be empty when the container names an image, whose own command is run then.")
  static let constraints = Field(
    "constraints", .list(.record(ConstraintFields.record)), standard: [], "In which order processes run.")
  static let resources = Field("resources", .record(ResourceFields.table.record), "What the task may use at most.")
  /// The one place where a number of places is spoken of.
  static let maxConcurrency = "max_concurrency"
  private static let user = Field("user", .text(.any), ignored: true, "Accepted and not used, as by Thermos.")

  static let table = RecordTable<TaskSpecification>(
    "Task", "Processes and the rules they run by.",
    [
      .other(name), .other(processes), .other(constraints), .other(resources),
      Row("max_failures", .count, \.maxFailures, "Processes failed for good that fail the task; 0: no number does."),
      Row(maxConcurrency, .count, \.maxConcurrency, "Processes that may run at a time; 0: no limit."),
      Row("finalization_wait", .seconds, \.finalizationWait, "Seconds for cleaning and finalizing together."),
      .other(user),
      Row(
        "max_completion_time", .number(0...1e9, above: true), \.maxCompletionTime,
        "Seconds after which a task that still runs has failed."),
    ])
}

extension TaskSpecification: RecordValue {
  static let standard = TaskSpecification(name: "", processes: [])
}

enum ConstraintFields {
  static let order = Field(
    "order", .list(.text(.fileName), atLeast: 1), required: true,
    "Each of these must finish successfully before the next may start.")

  static let record = RecordType("Constraint", "A rule for the order of processes.", [order])
}

enum ResourceFields {
  static let disk = "disk"

  static let table = RecordTable<Resources>(
    "Resources", "What the task may use at most.",
    [
      Row("cpu", .number(0...65536, above: true), required: true, \.cpu, "Cores, also parts of one."),
      Row(
        "ram", .integer((1 << 20)...(1 << 60)), required: true, \.ram,
        "Bytes of memory, at least 1 MiB. Less than 32 MiB gives 32 MiB, as with Mesos."),
      Row(disk, .integer(0...(1 << 60)), required: true, \.disk, "Bytes of disk, at least 1 MiB; 0: no limit."),
      Row("gpu", .integer(0...1024), \.gpu, "GPUs, of a Docker task: the engine finds them."),
      Row("pids", .integer(1...4_194_304), \.pids, "Processes and threads of the task; by default 4096."),
    ])
}

extension Resources: RecordValue {
  static let standard = Resources(cpu: 0, ram: 0, disk: 0)
}
