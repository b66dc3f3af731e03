/// `HealthCheckConfig` and what it holds.
enum HealthFields {
  static let checker = Field(
    "health_checker", .record(HealthCheckerFields.record), "How health is asked for; by default over HTTP.")
  static let initialInterval = Field(
    "initial_interval_secs", .seconds, standard: 15, "Seconds in which failures are forgiven.")
  /// The executor makes the checks, at its own cost.
  static let interval = Field(
    "interval_secs", .number(0.1...1e9), standard: 10, "Seconds between checks; at least 0.1.")
  static let maxConsecutiveFailures = Field(
    "max_consecutive_failures", .count, standard: 0, "Failures in a row that are tolerated.")
  static let minConsecutiveSuccesses = Field(
    "min_consecutive_successes", .count, standard: 1, "Successes in a row that make the task RUNNING.")
  static let timeout = Field("timeout_secs", .number(0...1e9, above: true), standard: 1, "Seconds a check may take.")

  static let record = RecordType(
    "HealthCheckConfig", "When a task counts as healthy.",
    [checker, initialInterval, interval, maxConsecutiveFailures, minConsecutiveSuccesses, timeout])
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
  static let http = Field("http", .record(HTTPLifecycleFields.record), "Absent: the task is not asked over HTTP.")

  static let record = RecordType("LifecycleConfig", "How the task is asked to end before it is signalled.", [http])
}

enum HTTPLifecycleFields {
  static let port = Field("port", .text(.line), standard: "health", "The name of the port that is asked.")
  static let gracefulEndpoint = Field(
    "graceful_shutdown_endpoint", .text(.endpoint), standard: "/quitquitquit", "The first POST.")
  static let shutdownEndpoint = Field(
    "shutdown_endpoint", .text(.endpoint), standard: "/abortabortabort", "The second POST.")
  static let gracefulWait = Field(
    "graceful_shutdown_wait_secs", .seconds, standard: 5, "Seconds waited after the first.")
  static let shutdownWait = Field("shutdown_wait_secs", .seconds, standard: 5, "Seconds waited after the second.")

  static let record = RecordType(
    "HttpLifecycleConfig", "Two requests that ask the task to end.",
    [port, gracefulEndpoint, shutdownEndpoint, gracefulWait, shutdownWait])
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
