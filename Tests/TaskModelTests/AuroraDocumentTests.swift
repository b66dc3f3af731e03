import Foundation
import StrictJSON
import Testing

@testable import TaskModel

/// Documents as `aurora job inspect --write-json` prints them for Aurora's own examples, and all of Aurora's fields.
@Suite struct AuroraDocumentTests {
  private static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../Fixtures/aurora")
  static let names: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []).filter { $0.hasSuffix(".json") }
    .sorted()

  private static func text(_ name: String) throws -> String {
    try String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)
  }

  @Test func allAreThere() { #expect(Self.names.count >= 17) }

  /// Nothing is said but that some ask for less memory than Mesos gives as well.
  @Test(arguments: names) func isValidWithoutAWord(name: String) throws {
    let (document, diagnostics) = TaskDocument.decode(Array(try Self.text(name).utf8))
    #expect(diagnostics.filter { !$0.message.hasSuffix("it gets 32 MiB, as with Mesos") } == [])
    #expect(try #require(document).check() == [])
  }

  @Test func aServiceWithPortsAndHealthIsUnderstood() throws {
    let ports = ["tcp": 1, "http": 2, "health": 3]
    let task = try bound(
      Self.text("http_example.json"), Bindings(taskID: "t-1", role: "www-data", hostname: "h", ports: ports))
    #expect(task.processes.map(\.name).first == "setup_env")
    #expect(task.orders == [task.processes.map(\.name)])
    #expect(task.processes[2].command == #"echo "tcp port: 1; http port: 2; alias: 2; health: 3""#)
    #expect(task.healthCheck?.initialInterval == 10)
    #expect(task.lifecycle?.port == 3)
    #expect(task.resources == Resources(cpu: 0.5, ram: 32 << 20, disk: 64 << 20))
  }

  @Test func everyKindOfContainerIsUnderstood() throws {
    func container(_ name: String) throws -> ContainerChoice { try document(Self.text(name)).container }
    guard case .docker(let engine) = try container("hello_docker_engine.json"),
      case .docker(let holder) = try container("docker_deprecated_container.json"),
      case .mesos(let image) = try container("hello_docker_image.json"),
      case .mesos(let appc) = try container("http_example_unified_appc.json"),
      case .mesos(let host) = try container("mesos_volumes_alone.json"),
      case .mesos(let none) = try container("hello_world.json")
    else {
      Issue.record("another kind of container")
      return
    }
    #expect(engine.image == "python:2.7-slim-stretch")
    #expect(holder.parameters.map(\.name) == ["volume", "env"])
    #expect(image.image == .docker(name: "debian", tag: "slim-stretch"))
    guard case .appc(name: "http_example_netcat", imageID: .some, labels: [:])? = appc.image else {
      Issue.record("no AppC image: \(String(describing: appc.image))")
      return
    }
    #expect(appc.volumes.map(\.containerPath) == ["etc/rsyslog.d.container", "/etc/w3m.container"])
    #expect(host.image == nil && host.volumes.count == 1)
    #expect(none == MesosContainer())
  }

  @Test func aPinnedImageIsAskedFor() throws {
    let document = try document(Self.text("hello_docker_binding.json"))
    #expect(document.referencedImages.map { [$0.name, $0.tag] } == [["library/python", "2.7-slim-stretch"]])
  }

  @Test func everythingThatATaskCanSayIsUnderstood() throws {
    let task = try bound(
      Self.text("everything.json"), Bindings(taskID: "t", hostname: "h", ports: ["health": 9, "http": 8]))
    #expect((task.maxFailures, task.maxConcurrency, task.finalizationWait) == (2, 3, 90))
    #expect(
      task.processes.map(\.logger) == [
        LoggerConfig(mode: .rotate, logSize: 10 << 20, backups: 3), LoggerConfig(destination: .both, mode: .standard),
        LoggerConfig(destination: .console), LoggerConfig(destination: .none, mode: .standard), nil,
      ])
    #expect(task.ports == ["health": 9, "http": 8, "aurora": 8, "admin": 8081, "alias": 8])
    #expect(task.lifecycle?.port == 8081)
    #expect(task.healthCheck?.probe == .shell(command: "./check 9"))
  }

  /// aurora.md §1, which lists Aurora's schema: each field is known, with Aurora's default where it has one.
  @Test(arguments: AuroraDocumentTests.schema.sorted { $0.key < $1.key })
  func everyFieldOfAurorasIsKnownWithItsDefault(record: String, fields: [String: JSON?]) throws {
    let properties = try #require(TaskSchema.json["$defs"]?[record]?["properties"], "no \(record)")
    for (name, standard) in fields {
      let field = try #require(properties[name], "\(record).\(name)")
      if let standard { #expect(field["default"]?.compact == standard.compact, "\(record).\(name)") }
    }
  }

  /// nil: Aurora has no default, or one that is no plain value.
  static let schema: [String: [String: JSON?]] = [
    "Process": [
      "name": nil, "cmdline": nil, "max_failures": 1, "daemon": false, "ephemeral": false, "min_duration": 5,
      "final": false, "logger": nil, "resources": nil,
    ],
    // `mode` is `rotate` here: docs/differences.md.
    "Logger": ["destination": "file", "mode": nil, "rotate": nil],
    "RotatePolicy": ["log_size": 104_857_600, "backups": 5],
    "Task": [
      "name": nil, "processes": nil, "constraints": [], "resources": nil, "max_failures": 1, "max_concurrency": 0,
      "finalization_wait": 30, "user": nil,
    ],
    "Constraint": ["order": nil], "Resources": ["cpu": nil, "ram": nil, "disk": nil, "gpu": 0],
    "HealthCheckConfig": [
      "health_checker": nil, "initial_interval_secs": 15, "interval_secs": 10, "max_consecutive_failures": 0,
      "min_consecutive_successes": 1, "timeout_secs": 1,
    ],
    "HealthCheckerConfig": ["http": nil, "shell": nil],
    "HttpHealthChecker": ["endpoint": "/health", "expected_response": "ok", "expected_response_code": 0],
    "ShellHealthChecker": ["shell_command": nil], "LifecycleConfig": ["http": nil],
    "HttpLifecycleConfig": [
      "port": "health", "graceful_shutdown_endpoint": "/quitquitquit", "shutdown_endpoint": "/abortabortabort",
      "graceful_shutdown_wait_secs": 5, "shutdown_wait_secs": 5,
    ],
    "Announcer": ["primary_port": "http", "portmap": nil, "zk_path": nil],
    "Docker": ["image": nil, "parameters": []], "Parameter": ["name": nil, "value": nil],
    "Mesos": ["image": nil, "volumes": []], "DockerImage": ["name": nil, "tag": nil],
    "AppcImage": ["name": nil, "image_id": nil], "Volume": ["container_path": nil, "host_path": nil, "mode": nil],
    "Job": [
      "name": nil, "role": nil, "cluster": nil, "environment": nil, "contact": nil, "instances": 1, "task": nil,
      "announce": nil, "tier": nil, "cron_schedule": nil, "cron_collision_policy": "KILL_EXISTING",
      "update_config": nil, "constraints": nil, "metadata": [], "service": false, "max_task_failures": 1,
      "production": false, "priority": 0, "health_check_config": nil, "lifecycle": nil, "task_links": nil,
      "executor_config": nil, "enable_hooks": false, "partition_policy": nil, "sla_policy": nil, "container": nil,
    ],
    "TaskInstance": [
      "task": nil, "instance": nil, "role": nil, "announce": nil, "environment": nil, "health_check_config": nil,
      "lifecycle": nil,
    ],
    "Metadata": ["key": nil, "value": nil], "ExecutorConfig": ["name": "AuroraExecutor", "data": ""],
    "PartitionPolicy": ["reschedule": true, "delay_secs": 0],
    "UpdateConfig": [
      "batch_size": 1, "watch_secs": 45, "max_per_shard_failures": 0, "max_total_failures": 0,
      "rollback_on_failure": true, "wait_for_batch_completion": false, "pulse_interval_secs": nil, "sla_aware": false,
      "update_strategy": nil,
    ],
  ]
}
