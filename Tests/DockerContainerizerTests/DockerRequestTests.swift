import Isolators
import LaunchModel
import LinuxKernel
import TaskModel
import Testing

@testable import Containers
@testable import DockerContainerizer
@testable import DockerEngineClient
@testable import TaskStore

/// What a Docker task becomes at the engine, and in the plan of its init.
struct DockerRequestTests {
  private let nonce = "00112233445566778899aabbccddeeff"
  private let identity = Identity(name: "www-data", uid: 33, gid: 33, groupName: "www-data", supplementaryGroups: [7])
  private let paths = DockerRequest.HostPaths(
    handover: "/run/x/t/handover", sandbox: "/w/t/sandbox", logs: "/w/t/logs", workDirectory: "/w")

  private func settings(_ allowed: String = "all") -> RunSettings {
    var settings = RunSettings(role: "www-data", hostname: "host", isolation: BuiltInIsolators.names)
    settings.allowedDockerParameters = allowed
    return settings
  }

  private func image(_ config: String = "{}") throws -> ImageDetails {
    let id = "sha256:" + String(repeating: "a", count: 64)
    return try ImageDetails(JSONFields(parsing: Array(#"{"Id":"\#(id)","Os":"linux","Config":\#(config)}"#.utf8)))
  }

  private func request(
    _ parameters: [(String, String)] = [], processes: [ProcessDefinition]? = nil, resources: Resources? = nil,
    allowed: String = "all", change: (inout DockerContainer) -> Void = { _ in }
  ) throws -> DockerRequest {
    var container = DockerContainer(
      image: "app:1", parameters: parameters.map { DockerContainer.Parameter(name: $0.0, value: $0.1) })
    change(&container)
    let task = TaskSpecification(
      name: "t", processes: processes ?? [ProcessDefinition(name: "p", command: "true")], resources: resources,
      container: .docker(container))
    return try DockerRequest(task, container, identity, settings(allowed))
  }

  private func finished(_ request: DockerRequest) throws -> ContainerCreateRequest {
    try request.finished("t-1", image: try image(), nonce: nonce, paths: paths)
  }

  private func refusal(_ body: () throws -> Void) -> String? {
    do { try body() } catch { return (error as? ExecutorFailure)?.message ?? "\(error)" }
    return nil
  }

  @Test func initIsTheFirstProcessOfTheVeryImageThatWasFound() throws {
    let create = try finished(request())
    #expect(create.spec.image == "sha256:" + String(repeating: "a", count: 64))
    #expect(create.spec.entrypoint == ["/.aurora-executor.0011223344556677/init"])
    #expect(create.spec.command == ["__init", "/.aurora-executor.0011223344556677/start.sock"])
    #expect(create.spec.user == "0:0" && create.spec.workingDirectory == "/")
    #expect(create.hostConfig.initProcess == false && !create.hostConfig.autoRemove)
    #expect(create.hostConfig.restartPolicy == RestartPolicy(name: "no"))
    #expect(create.hostConfig.logConfig == LogConfig(driver: "none"))
    #expect(create.hostConfig.networkMode == "host" && create.spec.hostname.isEmpty)
  }

  @Test(arguments: [
    ([], true), ([("security-opt", "seccomp=unconfined")], false), ([("security-opt", "seccomp:unconfined")], false),
    ([("security-opt", "no-new-privileges=false")], false), ([("privileged", "true")], false),
    ([("security-opt", "label=disable")], true), ([("cap-add", "SYS_ADMIN")], true),
  ])
  func theEnginesFilterHasOneBesideIt(_ parameters: [(String, String)], _ isThere: Bool) throws {
    let plan = try request(parameters).plan("t-1", image: try image())
    #expect(plan.restrictions.filter?.profile == (isThere ? CompiledFilter.additionalProfile : nil))
  }

  @Test func whatTheRuntimesObeyIsTakenFromTheImagesEnvironment() throws {
    let variables =
      #"["PATH=/bin","GLIBC_TUNABLES=x=1","SWIFT_BACKTRACE=enable=yes,swift-backtrace=/evil","A=","MALLOC_TOP_PAD_=1","LD_PRELOAD=/x"]"#
    let create = try request().finished("t-1", image: try image("{\"Env\":\(variables)}"), nonce: nonce, paths: paths)
    // Without a value, a name takes the image's variable away. `docker exec` needs the path.
    #expect(
      create.spec.environment == ["SWIFT_BACKTRACE=enable=no", "GLIBC_TUNABLES=", "LD_PRELOAD", "MALLOC_TOP_PAD_"])
  }

  @Test func whatIsOursIsMountedAndOnlyTheSandboxCanBeWritten() throws {
    let mounts = try finished(request()).hostConfig.mounts.map { "\($0.source) \($0.target) \($0.readOnly)" }
    #expect(
      mounts == [
        "/run/x/t/handover /.aurora-executor.0011223344556677 true", "/w/t/sandbox /mnt/mesos/sandbox false",
        "/w/t/logs /mnt/mesos/sandbox/.logs true",
      ])
  }

  @Test func labelsSayWhoseItIsWhateverTheTaskSays() throws {
    let labels = try finished(request([("label", "a=b")])).spec.labels
    #expect(labels["a"] == "b" && labels[DockerLabels.taskID] == "t-1" && labels[DockerLabels.nonce] == nonce)
    #expect(labels[DockerLabels.role] == "www-data" && labels[DockerLabels.workDirectory] == "/w")
    for name in ["label", "l"] {
      for space in ["", " ", "  ", "\t", " \t "] {
        #expect(refusal { _ = try request([(name, space + DockerLabels.nonce + "=x")]) } != nil)
        #expect(refusal { _ = try request([(name, space + DockerLabels.prefix)]) } != nil)
      }
    }
  }

  @Test func graphicsProcessorsAreAskedOfTheEngine() throws {
    #expect(try finished(request(resources: Resources(cpu: 1, ram: 0, disk: 0))).hostConfig.deviceRequests.isEmpty)
    let asked = try finished(request(resources: Resources(cpu: 1, ram: 0, disk: 0, gpu: 2))).hostConfig.deviceRequests
    #expect(asked.map(\.count) == [2] && asked.map(\.capabilities) == [[["gpu"]]])
  }

  @Test func limitsAreThoseOfNativeTasks() throws {
    let limits = try finished(request(resources: Resources(cpu: 1.5, ram: 64 << 20, disk: 0, pids: 10)))
      .hostConfig.resources
    #expect(limits.cpuShares == 1536 && limits.cpuPeriod == 100_000 && limits.cpuQuota == 150_000)
    #expect(limits.memory == 64 << 20 && limits.memorySwap == 64 << 20 && limits.memoryReservation == 64 << 20)
    #expect(limits.pidsLimit == 11, "init is in the container, and not the task's")
    let small = try finished(request(resources: Resources(cpu: 0.0001, ram: 64 << 20, disk: 0))).hostConfig.resources
    #expect(small.cpuShares == 2 && small.cpuQuota == 1000 && small.pidsLimit == 4097)
    let huge = try finished(request(resources: Resources(cpu: 1e300, ram: .max, disk: 0, pids: .max)))
    #expect(huge.hostConfig.resources.cpuShares == 262_144 && huge.hostConfig.resources.pidsLimit == .max)
    #expect(try finished(request()).hostConfig.resources.memory == nil)
  }

  @Test func limitsOfParametersWinWithoutContradictingOurs() throws {
    let resources = Resources(cpu: 1, ram: 64 << 20, disk: 0)
    let limits = try finished(request([("cpus", "2"), ("memory", "32m")], resources: resources)).hostConfig.resources
    #expect(limits.nanoCPUs == 2_000_000_000 && limits.cpuQuota == nil && limits.cpuPeriod == nil)
    #expect(limits.memory == 32 << 20 && limits.memorySwap == 32 << 20 && limits.memoryReservation == 32 << 20)
  }

  @Test func initHasWhatItNeedsAndTheTaskHasNot() throws {
    let request = try request([("cap-drop", "ALL"), ("cap-add", "CAP_NET_RAW")])
    let create = try finished(request)
    #expect(create.hostConfig.dropCapabilities == ["ALL"])
    #expect(
      Set(create.hostConfig.addCapabilities) == [
        "NET_RAW", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "SYS_PTRACE",
      ])
    let plan = try request.plan("t-1", image: try image())
    #expect(plan.restrictions.boundingCapabilities == Capabilities(name: "NET_RAW")?.rawValue)
    #expect(plan.restrictions.noNewPrivileges)
    #expect(!request.mayRemount)
    #expect(try self.request([("cap-add", "sys_admin")]).mayRemount)
    #expect(try self.request { $0.privileged = true }.mayRemount)
    #expect(try self.request([("cap-add", "ALL")]).mayRemount)
    #expect(try finished(self.request([("cap-add", "all")])).hostConfig.addCapabilities == ["ALL"])
  }

  @Test func aPrivilegedTaskIsNotHeldBack() throws {
    let request = try request { $0.privileged = true }
    #expect(try finished(request).hostConfig.addCapabilities.isEmpty)
    let restrictions = try request.plan("t-1", image: try image()).restrictions
    #expect(restrictions.boundingCapabilities == nil && !restrictions.noNewPrivileges)
  }

  @Test func theEnvironmentIsTheImagesWithTheParametersOverIt() throws {
    let image = try image(#"{"Env":["PATH=/bin","A=1","B=2"]}"#)
    let plan = try request([("env", "A=x"), ("env", "B")]).plan("t-1", image: image)
    #expect(plan.environment == [EnvironmentVariable("PATH", "/bin"), EnvironmentVariable("A", "x")])
  }

  @Test func anImagesOwnCommandRunsInItsDirectory() throws {
    let image = try image(#"{"Entrypoint":["/e"],"Cmd":["c"],"WorkingDir":"/d"}"#)
    let own = [ProcessDefinition(name: "t", command: nil)]
    let plan = try request(processes: own).plan("t-1", image: image)
    #expect(plan.imageCommand == ["/e", "c"] && plan.imageWorkingDirectory == "/d")
    #expect(plan.steps == [.account(identity), .directory(target: "/d", mode: 0o755)])
    let other = try request([("entrypoint", "/x"), ("workdir", "/y")], processes: own).plan("t-1", image: image)
    #expect(other.imageCommand == ["/x"] && other.imageWorkingDirectory == "/y", "as with docker run")
  }

  @Test func commandLinesStartInTheSandboxAndLeaveNoCore() throws {
    let plan = try request().plan("t-1", image: try image(#"{"WorkingDir":"/d"}"#))
    #expect(plan.imageCommand.isEmpty && plan.imageWorkingDirectory == nil && plan.sandbox == "/mnt/mesos/sandbox")
    #expect(plan.restrictions.limits == [ResourceLimit(resource: 4, soft: 1, hard: 1)])
    let core = try request([("ulimit", "core=-1")]).plan("t-1", image: try image())
    #expect(core.restrictions.limits == [ResourceLimit(resource: 4, soft: .max, hard: .max)])
  }

  @Test func resourceLimitsAreTheProcessesAndNotInits() throws {
    let request = try request([("ulimit", "fsize=512:-1"), ("ulimit", "nofile=12"), ("ulimit", "core=0")])
    #expect(try finished(request).hostConfig.ulimits.isEmpty)
    #expect(
      try request.plan("t-1", image: try image()).restrictions.limits == [
        ResourceLimit(resource: 1, soft: 512, hard: .max), ResourceLimit(resource: 7, soft: 12, hard: 12),
        ResourceLimit(resource: 4, soft: 0, hard: 0),
      ])
  }

  @Test func initIsNeverGivenLessThanItHas() {
    func attempts(_ present: InitLimits.Pair, _ own: InitLimits.Pair, _ asked: UInt64? = nil) -> [[UInt64]] {
      InitLimits.attempts(present, own, asked: asked).map { [$0.soft, $0.hard] }
    }
    #expect(attempts((10, 20), (10, 20)).isEmpty && attempts((10, 20), (5, 8), 12).isEmpty)
    #expect(attempts((.max, .max), (10, 20), 5).isEmpty)
    #expect(attempts((10, 20), (15, 15)) == [[15, 20], [15, 20], [15, 20]])
    #expect(attempts((10, 20), (40, 40)) == [[40, 40], [40, 40], [20, 20]])
    #expect(attempts((10, 20), (10, 20), .max) == [[10, .max]])
    #expect(attempts((10, 20), (30, 30), .max) == [[30, .max], [30, 30], [20, 20]])
  }

  @Test func aWorkingDirectoryIsCleanedAsTheEngineDoes() throws {
    let own = [ProcessDefinition(name: "t", command: nil)]
    for (given, cleaned) in [("/a/b/../c", "/a/c"), ("//a/./b/", "/a/b"), ("/..", "/"), ("/../x", "/x")] {
      let plan = try request(processes: own).plan("t-1", image: try image(#"{"WorkingDir":"\#(given)"}"#))
      #expect(plan.imageWorkingDirectory == cleaned)
      #expect(plan.steps.last == .directory(target: cleaned, mode: 0o755))
    }
    #expect(
      refusal { _ = try request(processes: own).plan("t-1", image: try image(#"{"WorkingDir":"a/../b"}"#)) } != nil)
  }

  @Test func aMountOverTheAccountFilesIsRefusedBeforeAnythingRuns() throws {
    let volume = try image(#"{"Volumes":{"/x/../etc/":{}}}"#)
    #expect(refusal { _ = try request().plan("t-1", image: volume) }?.contains("VOLUME at /etc") == true)
    for parameter in [("tmpfs", "/etc"), ("v", "/a:/etc"), ("mount", "type=tmpfs,target=/etc")] {
      let failure = refusal { _ = try request([parameter]).plan("t-1", image: try image()) }
      #expect(failure?.contains("parameters mount something on /etc") == true)
    }
    _ = try request([("read-only", "true"), ("tmpfs", "/etc")]).plan("t-1", image: volume)
    _ = try request([("tmpfs", "/etc/x")]).plan("t-1", image: try image())
  }

  @Test func onlyAnImageThatIsGoneMayHaveBeenRemoved() {
    #expect(DockerCreation.hint(404, "No such image: sha256:0")?.contains("removed meanwhile") == true)
    let platform = "image with reference x was found but does not match the specified platform: wanted linux/arm64"
    #expect(DockerCreation.hint(404, platform)?.contains("another platform") == true)
    #expect(DockerCreation.hint(400, "bind source path does not exist: /x")?.contains("make it before") == true)
    for (status, text) in [(404, "No such container: x"), (404, "network x not found"), (409, "No such image")] {
      #expect(DockerCreation.hint(status, text) == nil)
    }
  }

  @Test(arguments: [
    ("         0          0 4294967295\n", true), ("0 0 34\n", true), ("0 0 33\n", false), ("0 100000 65536\n", false),
    ("0 0 1\n1 100001 65535\n", false), ("0 0 1\n1 100001 32\n33 33 1\n34 100034 9\n", true),
    ("33 33 1\n0 0 1\n", true), ("33 33 1\n0 5 1\n", false), ("", false), ("0 0\n", false), ("0 0 x\n", false),
  ])
  func mapsOfIdsAreReadWhole(_ text: String, keeps: Bool) {
    let map = IDMap(Array(text.utf8))
    #expect((map.keeps(0) && map.keeps(33)) == keeps)
  }

  @Test func faultsOfTheDocumentHaveTheirPlace() throws {
    let text = #"""
      {"processes": [{"name": "p", "cmdline": "true"}], "container": {"docker": {"image": "A:b", "parameters": [
        {"name": "env", "value": "A=b"}, {"name": "user", "value": "33:33"},
        {"name": "volum", "value": "x"},
        {"name": "rm", "value": "true"}, {"name": "cpus", "value": "many"}]}}}
      """#
    let document = try #require(TaskDocument.decode(Array(text.utf8)).document)
    let task = try #require(document.standIn().task)
    var settings = settings()
    settings.role = "nobody-of-this-host"
    let found = DockerFaults.of(task, document, settings)
    #expect(found.map(\.path) == ["container.docker"] + [2, 3, 4].map { "container.docker.parameters[\($0)]" })
    #expect(found.map(\.position.line) == [1, 3, 4, 4] && found.map(\.position.column)[1] == 3)
    #expect(found[1].hint?.contains("volume") == true && found.allSatisfy { !$0.message.contains("parameters[") })
  }

  @Test func furtherGroupsAreTheProcesses() throws {
    let request = try request([("group-add", "55"), ("group-add", "7")])
    #expect(try request.plan("t-1", image: try image()).restrictions.identity.supplementaryGroups == [7, 55])
    #expect(try finished(request).hostConfig.groups.isEmpty)
  }

  @Test func aReadOnlyRootGetsItsAccountFilesByMounts() throws {
    let request = try request([("read-only", "true")])
    #expect(request.needsAccountFiles)
    #expect(try request.plan("t-1", image: try image()).steps.isEmpty)
    var paths = paths
    paths.accounts = [("/etc/passwd", "/run/x/t/accounts/passwd")]
    let create = try request.finished("t-1", image: try image(), nonce: nonce, paths: paths)
    #expect(create.hostConfig.mounts.last?.target == "/etc/passwd" && create.hostConfig.mounts.last?.readOnly == true)
  }

  @Test func networksAndPorts() throws {
    let mapping = DockerContainer.PortMapping(hostPort: 8080, containerPort: 80)
    let bridge = try finished(
      request {
        $0.network = .bridge
        $0.portMappings = [mapping]
      })
    #expect(bridge.hostConfig.networkMode == "bridge" && bridge.spec.exposedPorts == ["80/tcp"])
    #expect(bridge.hostConfig.portBindings == ["80/tcp": [PortBinding(hostPort: "8080")]])
    #expect(!bridge.spec.hostname.isEmpty, "a container of its own network carries the host's name")
    #expect(refusal { _ = try request { $0.portMappings = [mapping] } }?.contains("port_mappings") == true)
    #expect(refusal { _ = try request { $0.network = .user } }?.contains("USER") == true)
    let user = try finished(request([("network", "own")]) { $0.network = .user })
    #expect(user.hostConfig.networkMode == "own")
  }

  @Test(arguments: [
    ("init", "true", "container-init"), ("tty", "true", "terminal"), ("entrypoint", "/x", "processes of its own"),
    ("user", "root", "www-data"), ("group-add", "staff", "number"), ("rm", "true", "removed once"),
    ("volum", "x", "no such option"), ("tmpfs", "/.aurora-executor/x", "executor's own"),
    ("v", "/a:/.aurora-executor", "executor's own"),
    ("mount", "type=bind,source=/a,target=//.aurora-executor/init", "own"),
    ("v", "/tmp:/x/../.aurora-executor.0", "executor's own"), ("tmpfs", "/x/../", "on / of a container"),
    ("tmpfs", "/mnt/mesos/sandbox", "may not be mounted"), ("v", "/a:/mnt/x/../mesos//sandbox/", "may not be mounted"),
    ("tmpfs", "/mnt/mesos/sandbox/.logs", "may not be mounted"),
    ("v", "/mnt/mesos/sandbox/.logs/p/0", "may not be mounted"),
    ("tmpfs", "/mnt", "may not be mounted"), ("v", "/a:/mnt/./mesos", "may not be mounted"),
    ("env-file", "/etc/shadow", "not allowed"), ("cap-add", "NOPE", "NOPE"),
  ])
  func whatBreaksTheContractIsRefused(_ name: String, _ value: String, _ words: String) throws {
    let said = refusal { _ = try finished(request([(name, value)])) }
    #expect(said?.contains(words) == true, "\(said ?? "nothing was said")")
  }

  @Test func mountsBesideWhatIsOursAreTheTasksOwn() throws {
    for target in ["/mntx", "/mnt/mesos/sandbox/data", "/mnt/mesos/sandbox/.logsx", "/x/.aurora-executor"] {
      #expect(try finished(request([("tmpfs", target)])).hostConfig.tmpfs.keys.contains(target))
    }
  }

  @Test func whatHasNoEffectIsSaid() throws {
    let request = try request([
      ("log-driver", "syslog"), ("health-cmd", "x"), ("workdir", "/x"), ("stop-signal", "INT"),
    ])
    #expect(request.warnings.count == 4)
    let create = try finished(request)
    #expect(create.hostConfig.logConfig?.driver == "none" && create.spec.healthcheck == Healthcheck.none)
    #expect(create.spec.workingDirectory == "/" && create.spec.stopSignal == "SIGTERM")
    #expect(try self.request([("user", "33:33"), ("init", "false")]).warnings.isEmpty)
  }

  @Test func operatorsDecide() throws {
    #expect(refusal { _ = try request([("env", "A=b")], allowed: "none") }?.contains("operator") == true)
    #expect(refusal { _ = try request([("privileged", "true")], allowed: "env,v") }?.contains("operator") == true)
    #expect(try request([("e", "A=b"), ("volume", "/a:/b")], allowed: "env,v").warnings.isEmpty)
    #expect(refusal { _ = try request(allowed: "volum") }?.contains("volum") == true)
    // A comma that makes one Character with what is before it separates all the same.
    #expect(refusal { _ = try request(allowed: "x\u{600},volume") }?.utf8.holds("volume".utf8) == false)
    #expect("a\u{600},b,,c".commaSeparated == ["a\u{600}", "b", "c"])
  }
}
