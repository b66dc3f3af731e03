import StrictJSON

/// The three shapes of a document. Members that only a scheduler reads are checked and ignored.
enum JobFields {
  static let name = Field("name", .text(.identifier), "Names the job; by default the task's name.")
  static let role = Field("role", .text(.role), required: true, "The account that the task runs as.")
  static let cluster = Field("cluster", .text(.identifier), required: true, "The cluster, for templates.")
  static let environment = Field("environment", .text(.identifier), required: true, "The environment, for templates.")
  static let task = Field("task", .record(TaskFields.table.record), required: true, "What is run.")
  static let container = Field("container", .variants(ContainerFields.choice), "What it is run in.")
  static let health = Field(
    "health_check_config", .record(HealthFields.table.record), "When the task counts as healthy.")
  static let lifecycle = Field(
    "lifecycle", .record(LifecycleFields.record),
    "How the task is asked to end; a job has HTTP lifecycle unless this says otherwise.")
  static let announce = Field("announce", .record(AnnounceFields.record), "Names of ports.")

  static let schema = Field("$schema", .text(.any), ignored: true, "Where an editor finds the schema of this document.")

  private static func scheduler(_ name: String, _ type: FieldType, standard: JSON? = nil) -> Field {
    Field(name, type, standard: standard, ignored: true, "Read by a scheduler only.")
  }

  private static let ignored: [Field] = [
    scheduler("contact", .text(.any)),
    scheduler("instances", .count, standard: 1),
    scheduler("tier", .text(.any)),
    scheduler("cron_schedule", .text(.any)),
    scheduler("cron_collision_policy", .text(.any), standard: "KILL_EXISTING"),
    scheduler("update_config", .record(UpdateFields.record)),
    scheduler("constraints", .map(.text(.any))),
    scheduler("metadata", .list(.record(MetadataFields.record)), standard: []),
    scheduler("service", .flag, standard: false),
    scheduler("max_task_failures", .integer(-1...Int64(Int32.max)), standard: 1),
    scheduler("production", .flag, standard: false),
    scheduler("priority", .integer(Int64(Int32.min)...Int64(Int32.max)), standard: 0),
    scheduler("task_links", .map(.text(.any))),
    scheduler("executor_config", .record(ExecutorConfigFields.record)),
    scheduler("enable_hooks", .flag, standard: false),
    scheduler("partition_policy", .record(PartitionFields.record)),
    scheduler("sla_policy", .map(.kept)),
  ]

  static let record = RecordType(
    "Job", "A job, as `aurora job inspect --write-json` prints it.",
    [name, role, cluster, environment, task, container, health, lifecycle, announce, schema] + ignored)

  /// Whether a document with a `task` is a job rather than a task instance.
  static func isJobKey(_ key: String) -> Bool {
    guard record[key] != nil else { return false }
    return InstanceFields.record[key] == nil
  }
}

enum InstanceFields {
  static let environment = Field("environment", .text(.identifier), "The environment, for templates.")
  static let instance = Field(
    "instance", .integer(0...Int64(Int32.max)), "The number of this instance; by default `--instance`.")

  static let record = RecordType(
    "TaskInstance", "One instance of a job's task.",
    [
      JobFields.task, JobFields.role, environment, instance, JobFields.container, JobFields.health,
      JobFields.lifecycle, JobFields.announce, JobFields.schema,
    ])
}

/// A bare task has no role; what it has beyond Thermos' members are those of the other shapes that need none.
enum BareTaskFields {
  static let record = RecordType(
    "BareTask", "A task alone.",
    TaskFields.table.record.fields
      + [JobFields.container, JobFields.health, JobFields.lifecycle, JobFields.announce, JobFields.schema])
}

enum MetadataFields {
  static let record = RecordType(
    "Metadata", "A label.",
    [
      Field("key", .text(.any), required: true, ignored: true, "The label's key."),
      Field("value", .text(.any), required: true, ignored: true, "The label's value."),
    ])
}

enum ExecutorConfigFields {
  static let record = RecordType(
    "ExecutorConfig", "Which executor a scheduler starts.",
    [
      Field("name", .text(.any), standard: "AuroraExecutor", ignored: true, "The executor's name."),
      Field("data", .text(.any), standard: "", ignored: true, "What that executor is given."),
    ])
}

enum PartitionFields {
  static let record = RecordType(
    "PartitionPolicy", "What a scheduler does about a partitioned agent.",
    [
      Field("reschedule", .flag, standard: true, ignored: true, "Whether the task is started elsewhere."),
      Field("delay_secs", .seconds, standard: 0, ignored: true, "After how many seconds."),
    ])
}

enum UpdateFields {
  static let record = RecordType(
    "UpdateConfig", "How a scheduler updates a job.",
    [
      Field("batch_size", .count, standard: 1, ignored: true, "Instances at a time."),
      Field("watch_secs", .seconds, standard: 45, ignored: true, "Seconds an instance must stay up."),
      Field("max_per_shard_failures", .count, standard: 0, ignored: true, "Restarts of one instance."),
      Field("max_total_failures", .count, standard: 0, ignored: true, "Failed instances that are tolerated."),
      Field("rollback_on_failure", .flag, standard: true, ignored: true, "Whether a failed update is undone."),
      Field("wait_for_batch_completion", .flag, standard: false, ignored: true, "Whether batches wait."),
      Field("pulse_interval_secs", .seconds, ignored: true, "Seconds between pulses."),
      Field("sla_aware", .flag, standard: false, ignored: true, "Whether the SLA policy is heeded."),
      Field("update_strategy", .map(.kept), ignored: true, "In which way instances are replaced."),
    ])
}
