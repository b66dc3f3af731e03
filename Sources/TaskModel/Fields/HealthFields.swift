/// `HealthCheckConfig` and what it holds.
enum HealthFields {
  static let checker = Field(
    "health_checker", .record(HealthCheckerFields.record), "How health is asked for; by default over HTTP.")

  static let table = RecordTable<HealthCheck>(
    "HealthCheckConfig", "When a task counts as healthy.",
    [
      .other(checker),
      Row("initial_interval_secs", .seconds, \.initialInterval, "Seconds in which failures are forgiven."),
      // The executor makes the checks, at its own cost.
      Row("interval_secs", .number(0.1...1e9), \.interval, "Seconds between checks; at least 0.1."),
      Row("max_consecutive_failures", .count, \.maxConsecutiveFailures, "Failures in a row that are tolerated."),
      Row(
        "min_consecutive_successes", .count, \.minConsecutiveSuccesses,
        "Successes in a row that make the task RUNNING."),
      Row("timeout_secs", .number(0...1e9, above: true), \.timeout, "Seconds a check may take."),
    ])
}

extension HealthCheck: RecordValue {
  static let standard = HealthCheck(probe: .shell(command: ""))
}

enum HealthCheckerFields {
  static let http = Field("http", .record(HTTPCheckFields.record), "A GET.")
  static let shell = Field("shell", .record(ShellCheckFields.record), "A command; it wins over `tcp` and `http`.")
  static let tcp = Field("tcp", .record(TCPCheckFields.record), "A connection; it wins over `http`.")

  static let record = RecordType("HealthCheckerConfig", "How health is asked for.", [http, shell, tcp])
}

enum HTTPCheckFields {
  static let endpoint = Field("endpoint", .text(.endpoint), standard: "/health", "The path that is asked for.")
  static let expectedResponse = Field(
    "expected_response", .text(.any), standard: "ok", "The body, without regard to case; empty: not compared.")
  static let expectedResponseCode = Field(
    "expected_response_code", .integer(0...599), standard: 0, "The HTTP status; 0: not compared.")
  static let port = Field(
    "port", .text(.line), standard: "health", "The name of the port that is asked, or its number.")

  static let record = RecordType(
    "HttpHealthChecker", "Health over HTTP.", [endpoint, expectedResponse, expectedResponseCode, port])
}

enum TCPCheckFields {
  static let port = Field(
    "port", .text(.line), standard: "health", "The name of the port that is connected to, or its number.")

  static let record = RecordType("TcpHealthChecker", "Healthy when a connection is accepted.", [port])
}

enum ShellCheckFields {
  static let command = Field("shell_command", .text(.command), required: true, "Healthy when it exits with 0.")

  static let record = RecordType("ShellHealthChecker", "Health by a command.", [command])
}

/// `LifecycleConfig` and `HttpLifecycleConfig`.
enum LifecycleFields {
  static let http = Field("http", .record(HTTPLifecycleFields.table.record), "Absent: the task is not asked over HTTP.")

  static let record = RecordType("LifecycleConfig", "How the task is asked to end before it is signalled.", [http])
}

enum HTTPLifecycleFields {
  static let port = Field("port", .text(.line), standard: "health", "The name of the port that is asked.")

  static let table = RecordTable<HTTPLifecycle>(
    "HttpLifecycleConfig", "Two requests that ask the task to end.",
    [
      .other(port),
      Row("graceful_shutdown_endpoint", .text(.endpoint), \.gracefulShutdownEndpoint, "The first POST."),
      Row("shutdown_endpoint", .text(.endpoint), \.shutdownEndpoint, "The second POST."),
      Row("graceful_shutdown_wait_secs", .seconds, \.gracefulShutdownWait, "Seconds waited after the first."),
      Row("shutdown_wait_secs", .seconds, \.shutdownWait, "Seconds waited after the second."),
    ])
}

extension HTTPLifecycle: RecordValue {
  static let standard = HTTPLifecycle(port: 0)
}

/// `Announcer`.
enum AnnounceFields {
  static let primaryPort = Field("primary_port", .text(.line), standard: "http", "The port that is announced.")
  static let portmap = Field(
    "portmap", .map(.text(.line)), "Further names of ports: to a port's name or a number.")
  static let zkPath = Field("zk_path", .text(.any), "Accepted; nothing is announced.")

  static let record = RecordType(
    "Announcer", "Names of ports, as they would be announced.",
    [
      primaryPort, portmap, zkPath,
    ])
}
