/// `Task`, `Constraint` and `Resources`.
enum TaskFields {
  static let name = Field("name", .text(.fileName), "Names the task; by default the first process's name.")
  static let processes = Field(
    "processes", .list(.record(ProcessFields.record)), standard: [],
    "What is run; may be empty when the container names an image, whose own command is run then.")
  static let constraints = Field(
    "constraints", .list(.record(ConstraintFields.record)), standard: [], "In which order processes run.")
  static let resources = Field("resources", .record(ResourceFields.record), "What the task may use at most.")
  static let maxFailures = Field(
    "max_failures", .count, standard: 1, "Processes failed for good that fail the task; 0: no number does.")
  static let maxConcurrency = Field(
    "max_concurrency", .count, standard: 0, "Processes that may run at a time; 0: no limit.")
  static let finalizationWait = Field(
    "finalization_wait", .seconds, standard: 30, "Seconds for cleaning and finalizing together.")
  static let user = Field("user", .text(.any), ignored: true, "Accepted and not used, as by Thermos.")
  static let maxCompletionTime = Field(
    "max_completion_time", .number(0...1e9, above: true), "Seconds after which a task that still runs has failed.")

  static let all = [
    name, processes, constraints, resources, maxFailures, maxConcurrency, finalizationWait, user, maxCompletionTime,
  ]
  static let record = RecordType("Task", "Processes and the rules they run by.", all)
}

enum ConstraintFields {
  static let order = Field(
    "order", .list(.text(.fileName), atLeast: 1), required: true,
    "Each of these must finish successfully before the next may start.")

  static let record = RecordType("Constraint", "A rule for the order of processes.", [order])
}

enum ResourceFields {
  static let cpu = Field("cpu", .number(0...65536, above: true), required: true, "Cores, also parts of one.")
  static let ram = Field("ram", .integer((1 << 20)...(1 << 60)), required: true, "Bytes of memory, at least 1 MiB.")
  static let disk = Field(
    "disk", .integer(0...(1 << 60)), required: true, "Bytes of disk, at least 1 MiB; 0: no limit.")
  static let gpu = Field("gpu", .integer(0...1024), standard: 0, "GPUs.")
  static let pids = Field("pids", .integer(1...4_194_304), "Processes and threads of the task; by default 4096.")

  static let record = RecordType("Resources", "What the task may use at most.", [cpu, ram, disk, gpu, pids])
}
