import Testing

@testable import TaskModel

/// The forms in which a container is written.
@Suite struct ContainerTests {
  private func around(_ container: String) -> String {
    #"{"container":\#(container),"processes":[{"name":"p","cmdline":"x"}]}"#
  }

  private static let debian = MesosContainer(image: .docker(name: "debian", tag: "bookworm"))

  @Test(arguments: [
    (#"{"mesos":{"image":{"docker":{"name":"debian","tag":"bookworm"}}}}"#, ContainerChoice.mesos(debian)),
    (#"{"mesos":{"image":{"name":"debian","tag":"bookworm"}}}"#, .mesos(debian)),
    (#"{"image":{"docker":{"name":"debian","tag":"bookworm"}}}"#, .mesos(debian)),
    (#"{"image":{"name":"debian","tag":"bookworm"},"volumes":[]}"#, .mesos(debian)),
    (
      #"{"image":{"name":"h/x@sha256:00"}}"#, .mesos(MesosContainer(image: .docker(name: "h/x@sha256:00", tag: nil)))
    ),
    (
      #"{"image":{"name":"example.com/hello","image_id":"sha512-00"}}"#,
      .mesos(MesosContainer(image: .appc(name: "example.com/hello", imageID: "sha512-00")))
    ),
    (
      #"{"mesos":{"image":{"appc":{"name":"example.com/hello","labels":{"version":"1"}}}}}"#,
      .mesos(MesosContainer(image: .appc(name: "example.com/hello", imageID: nil, labels: ["version": "1"])))
    ),
    ("{}", .mesos(MesosContainer())), (#"{"mesos":{}}"#, .mesos(MesosContainer())),
    (#"{"docker":{"image":"python:3.11"}}"#, .docker(DockerContainer(image: "python:3.11"))),
    (
      #"{"image":"python:3.11","parameters":[{"name":"a","value":"b"}]}"#,
      .docker(DockerContainer(image: "python:3.11", parameters: [.init(name: "a", value: "b")]))
    ),
    (
      #"{"volumes":[{"container_path":"/a","host_path":"/b","mode":"RO"},{"container_path":"/c","host_path":"d","mode":"RW"}]}"#,
      .mesos(
        MesosContainer(volumes: [
          Volume(containerPath: "/a", hostPath: "/b", mode: .readOnly),
          Volume(containerPath: "/c", source: .sandboxPath("d"), mode: .readWrite),
        ]))
    ),
    (
      #"{"linux_info":{"effective_capabilities":{"capabilities":[]},"ipc_mode":"PRIVATE","shm_size":64,"seccomp":{"unconfined":true}}}"#,
      .mesos(
        MesosContainer(
          linuxInfo: LinuxInfo(
            effectiveCapabilities: [], ipcMode: .private, shmSizeBytes: 67_108_864, seccomp: .unconfined)))
    ),
    (
      #"{"linux_info":{"capability_info":{"capabilities":["KILL"]},"share_pid_namespace":1},"tty_info":{"window_size":{"rows":2,"columns":3}}}"#,
      .mesos(
        MesosContainer(
          linuxInfo: LinuxInfo(effectiveCapabilities: ["KILL"], sharePIDNamespace: true),
          ttyInfo: TTYInfo(rows: 2, columns: 3)))
    ),
    (
      #"{"docker":{"image":"x","network":"USER","privileged":1,"port_mappings":[{"host_port":1,"container_port":2}]}}"#,
      .docker(
        DockerContainer(
          image: "x", network: .user, portMappings: [.init(hostPort: 1, containerPort: 2, transport: "tcp")],
          privileged: true))
    ),
    (
      #"{"rlimit_info":{"rlimits":[{"type":"RLMT_CORE"},{"type":"RLMT_NOFILE","soft":5,"hard":10}]}}"#,
      .mesos(
        MesosContainer(rlimits: [
          RlimitEntry(type: "RLMT_CORE", hard: nil, soft: nil), RlimitEntry(type: "RLMT_NOFILE", hard: 10, soft: 5),
        ]))
    ),
  ])
  func isRead(text: String, container: ContainerChoice) throws {
    #expect(try bound(around(text)).container == container)
  }

  @Test(arguments: [
    (#"{"mesos":{},"docker":{"image":"x"}}"#, #"container: has both "mesos" and "docker"; it can be one of them"#),
    (#"{"docker":{}}"#, #"container.docker: "image" is missing"#),
    (#"{"mesos":{"image":"debian"}}"#, "container.mesos.image: expected an object, found a string"),
    (#"{"image":{"name":"debian"}}"#, #"container.image: "tag" is missing (a tag, or a digest in the name)"#),
    (#"{"image":{"name":"debian:12"}}"#, #"container.image: "tag" is missing (the tag stands apart from the name)"#),
    (#"{"image":{"name":"","tag":"x"}}"#, #"container.image.name: "" is empty"#),
    (
      #"{"volumes":[{"container_path":"/a/../b","host_path":"/c","mode":"RO"}]}"#,
      #"container.volumes[0].container_path: "/a/../b" contains "..""#
    ),
    (
      #"{"volumes":[{"container_path":"/a","host_path":"/c","mode":"ro"}]}"#,
      #"container.volumes[0].mode: "ro" is not known here; one of RO, RW (did you mean "RO"?)"#
    ),
    (
      #"{"volumes":[{"container_path":"/a","mode":"RO"}]}"#,
      #"container.volumes[0]: needs either "host_path" or "source""#
    ),
    (#"{"linux_info":{"shm_size":64}}"#, #"container.linux_info.shm_size: needs "ipc_mode": "PRIVATE""#),
    (#"{"linux_info":{"seccomp":{}}}"#, #"container.linux_info.seccomp: needs "profile_name" or "unconfined": true"#),
    (
      #"{"linux_info":{"seccomp":{"profile_name":"strict"}}}"#,
      #"container.linux_info.seccomp.profile_name: "strict" is neither "default" nor an absolute path"#
    ),
    (
      #"{"linux_info":{"effective_capabilities":{"capabilities":["KILL","CHOWN"]},"bounding_capabilities":{"capabilities":["KILL"]}}}"#,
      "container.linux_info: effective capabilities outside of the bounding ones: CHOWN"
    ),
    (
      #"{"linux_info":{"effective_capabilities":{"capabilities":["NET_RAWW"]}}}"#,
      #"container.linux_info.effective_capabilities.capabilities[0]: "NET_RAWW" is not known here (did you mean "NET_RAW"?)"#
    ),
    (
      #"{"linux_info":{"effective_capabilities":{},"capability_info":{}}}"#,
      #"container.linux_info: has both "effective_capabilities" and its old name, "capability_info""#
    ),
    (
      #"{"rlimit_info":{"rlimits":[{"type":"RLMT_CPU"},{"type":"RLMT_CPU"}]}}"#,
      "container.rlimit_info.rlimits[1]: a second limit of RLMT_CPU"
    ),
    (
      #"{"rlimit_info":{"rlimits":[{"type":"RLMT_CPU","soft":1}]}}"#,
      #"container.rlimit_info.rlimits[0]: needs both "hard" and "soft", or neither for no limit"#
    ),
    (
      #"{"rlimit_info":{"rlimits":[{"type":"RLMT_CPU","soft":2,"hard":1}]}}"#,
      "container.rlimit_info.rlimits[0]: the soft limit, 2, is above the hard one, 1"
    ),
    (#"{"imag":{}}"#, #"container: unknown key "imag" (did you mean "image"?)"#),
    (#"{"mesos":{},"volumes":[]}"#, #"container: unknown key "volumes""#),
  ])
  func isRefused(text: String, fault: String) {
    let found = faults(around(text))
    #expect(found.count == 1)
    #expect(found.first?.hasSuffix(fault) == true, "\(found)")
  }

  @Test func withoutProcessesTheImageMustHaveItsOwnCommand() throws {
    #expect(try bound(#"{"name":"t","container":{"docker":{"image":"x"}}}"#).processes == [])
    #expect(try bound(#"{"name":"t","processes":[],"container":{"image":{"name":"a","tag":"b"}}}"#).processes == [])
    #expect(faults(#"{"name":"t","container":{"volumes":[]}}"#).count == 1)
  }

  @Test func aDigestDecidesOverATag() throws {
    let text = around(#"{"image":{"name":"x@sha256:00","tag":"1"}}"#)
    let (document, diagnostics) = TaskDocument.decode(Array(text.utf8))
    #expect(diagnostics.map(\.severity) == [.warning])
    #expect(document?.container == .mesos(MesosContainer(image: .docker(name: "x@sha256:00", tag: nil))))
  }
}

/// The three shapes, and what a job has that the others have not.
@Suite struct ShapeTests {
  private let inner = #""task":{"processes":[{"name":"p","cmdline":"{{mesos.instance}}"}]}"#

  @Test func shapesAreToldApartByTheirKeys() throws {
    let job = try document(#"{"role":"r","cluster":"c","environment":"e","name":"n",\#(inner)}"#)
    #expect(job.shape == .job)
    #expect(job.jobName == "n")
    #expect(job.instance == nil)
    let instance = try document(#"{"role":"r","environment":"e","instance":4,\#(inner)}"#)
    #expect(instance.shape == .instance)
    #expect(instance.instance == 4)
    #expect(try document(#"{"role":"r",\#(inner)}"#).shape == .instance)
    let task = try document(#"{"processes":[{"name":"p","cmdline":"x"}]}"#)
    #expect(task.shape == .task)
    #expect(task.role == nil)
  }

  @Test func theInstanceOfTheDocumentHoldsUnlessAnotherIsGiven() throws {
    let text = #"{"role":"r","instance":4,\#(inner)}"#
    #expect(try bound(text, Bindings(taskID: "t", hostname: "h")).processes[0].command == "4")
    #expect(try bound(text, Bindings(taskID: "t", instance: 9, hostname: "h")).processes[0].command == "9")
    #expect(try bound(#"{"role":"r",\#(inner)}"#, Bindings(taskID: "t", hostname: "h")).instance == 0)
  }

  @Test func aJobIsAskedOverHTTPToEndUnlessItSaysOtherwise() throws {
    let ports = Bindings(taskID: "t", hostname: "h", ports: ["health": 8080])
    func lifecycle(_ shape: String) throws -> HTTPLifecycle? { try bound("{\(shape)\(inner)}", ports).lifecycle }
    let job = #""role":"r","cluster":"c","environment":"e","name":"n","#
    #expect(try lifecycle(job) == HTTPLifecycle(port: 8080))
    #expect(try lifecycle(job + #""lifecycle":{},"#) == nil)
    #expect(try lifecycle(#""role":"r","instance":0,"#) == nil)
    #expect(try lifecycle(#""role":"r","instance":0,"lifecycle":{"http":{}},"#) == HTTPLifecycle(port: 8080))
    #expect(try lifecycle(job + #""lifecycle":{"http":{"port":"admin"}},"#) == nil)
  }

  @Test func healthIsAskedForByCommandElseOverHTTPElseNotAtAll() throws {
    let shell = #""health_check_config":{"health_checker":{"http":{},"shell":{"shell_command":"true"}}},"#
    let ports = Bindings(taskID: "t", hostname: "h", ports: ["health": 8080])
    #expect(try bound("{\"role\":\"r\",\(shell)\(inner)}", ports).healthCheck?.probe == .shell(command: "true"))
    #expect(try bound("{\"role\":\"r\",\(inner)}").healthCheck == nil)
    let http = try bound("{\"role\":\"r\",\(inner)}", ports).healthCheck
    #expect(
      http
        == HealthCheck(
          probe: .http(port: 8080, endpoint: "/health", expectedResponse: "ok", expectedResponseCode: 0)))
  }

  @Test func oldBooleansAreNumbers() throws {
    let text = #"{"processes":[{"name":"p","cmdline":"x","daemon":1,"ephemeral":0,"final":0}]}"#
    #expect(try bound(text).processes[0].isDaemon)
    #expect(try bound(text).processes[0].isFinal == false)
  }

  @Test func loggersRotateUnlessTheyAreToldNotTo() throws {
    func logger(_ text: String) throws -> LoggerConfig? {
      try bound(#"{"processes":[{"name":"p","cmdline":"x"\#(text)}]}"#).processes[0].logger
    }
    #expect(try logger("") == nil)
    #expect(try logger(#","logger":{}"#) == LoggerConfig(destination: .file, mode: .rotate))
    #expect(try logger(#","logger":{"mode":"standard"}"#)?.mode == .standard)
    #expect(
      try logger(#","logger":{"destination":"both","mode":"rotate","rotate":{"log_size":1024,"backups":2}}"#)
        == LoggerConfig(destination: .both, mode: .rotate, logSize: 1024, backups: 2))
  }
}
