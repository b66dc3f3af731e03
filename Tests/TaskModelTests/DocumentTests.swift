import Testing

@testable import TaskModel

/// The job of the reference for Aurora's documents, as a scheduler hands it on.
let auroraJob = #"""
  {"cluster":"c1","role":"svc","environment":"prod","name":"web","service":true,
   "max_task_failures":1,"priority":0,"production":false,"enable_hooks":false,"cron_collision_policy":"KILL_EXISTING","metadata":[],
   "executor_config":{"name":"AuroraExecutor","data":""},
   "health_check_config":{"health_checker":{"http":{"endpoint":"/health","expected_response":"ok","expected_response_code":0}},
     "initial_interval_secs":15.0,"interval_secs":10.0,"max_consecutive_failures":0,"min_consecutive_successes":1,"timeout_secs":1.0},
   "lifecycle":{"http":{"port":"health","graceful_shutdown_endpoint":"/quitquitquit","graceful_shutdown_wait_secs":5,
     "shutdown_endpoint":"/abortabortabort","shutdown_wait_secs":5}},
   "task":{"name":"web","max_failures":1,"max_concurrency":0,"finalization_wait":30,
     "resources":{"cpu":0.5,"ram":67108864,"disk":134217728,"gpu":0},
     "constraints":[{"order":["prep","serve"]}],
     "processes":[
       {"name":"prep","cmdline":"mkdir -p data","max_failures":1,"daemon":false,"ephemeral":false,"min_duration":5,"final":false},
       {"name":"serve","cmdline":"exec ./srv --port {{thermos.ports[http]}} --shard {{mesos.instance}}","max_failures":0,
        "daemon":false,"ephemeral":false,"min_duration":5,"final":false}]}}
  """#

@Suite struct DocumentTests {
  @Test func aJobOfAuroraIsReadAndBound() throws {
    #expect(faults(auroraJob) == [])
    let job = try document(auroraJob)
    #expect(job.shape == .job)
    #expect(job.role == "svc")
    #expect(job.referencedPorts == ["http"])
    #expect(job.processNames == ["prep", "serve"])
    let (task, diagnostics) = job.bind(
      Bindings(taskID: "web-1", instance: 7, hostname: "h", ports: ["http": 31_000, "health": 31_001]))
    #expect(diagnostics == [])
    #expect(task?.processes[1].command == "exec ./srv --port 31000 --shard 7")
    #expect(task?.resources == Resources(cpu: 0.5, ram: 67_108_864, disk: 134_217_728))
    #expect(task?.orders == [["prep", "serve"]])
    #expect(task?.container == .mesos(MesosContainer()))
    #expect(task?.lifecycle == HTTPLifecycle(port: 31_001))
    #expect(
      task?.healthCheck?.probe
        == .http(port: 31_001, endpoint: "/health", expectedResponse: "ok", expectedResponseCode: 0))
  }

  @Test func theSmallestTaskHasThermosDefaults() throws {
    let task = try bound(#"{"processes":[{"name":"p","cmdline":"true"}]}"#)
    #expect(task.name == "p")
    #expect(task.maxFailures == 1)
    #expect(task.finalizationWait == 30)
    #expect(task.processes == [ProcessDefinition(name: "p", command: "true")])
    #expect(task.lifecycle == nil)
    #expect(task.healthCheck == nil)
    #expect(task.role == "www-data")
  }
}
