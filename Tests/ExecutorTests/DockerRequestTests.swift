import LaunchModel
import LinuxKernel
import TaskModel
import Testing

@testable import Containers
@testable import DockerContainerizer
@testable import DockerEngineClient
@testable import Executor
@testable import TaskStore

/// What a Docker task becomes at the engine, and in the plan of its init.
struct DockerRequestTests {
  private let nonce = "00112233445566778899aabbccddeeff"
  private let identity = Identity(name: "www-data", uid: 33, gid: 33, groupName: "www-data", supplementaryGroups: [7])
  private let paths = DockerRequest.HostPaths(
    handover: "/run/x/t/handover", sandbox: "/w/t/sandbox", logs: "/w/t/logs", workDirectory: "/w")

  private func settings(_ allowed: String = "all") -> RunSettings {
    var settings = RunSettings(role: "www-data", hostname: "host", isolation: RunSettings.defaultIsolation)
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
    #expect(create.spec.command == ["__init-handover", "/.aurora-executor.0011223344556677/start.sock"])
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

/// Where a container's numbers are read, and what a single file's archive holds.
struct DockerPartsTests {
  @Test func onlyCgroupsOfTheContainersOwnAreItsCgroups() throws {
    let id = try #require(ContainerID(String(repeating: "ab", count: 32)))
    var hierarchies = CgroupHierarchies()
    hierarchies.version1 = ["cpu": "/c/cpu", "pids": "/c/pids", "memory": "/c/memory"]
    hierarchies.version2 = "/c/unified"
    func cgroups(_ text: String) -> [String?] {
      let found = DockerCgroups(id, cgroups: Array(text.utf8), hierarchies: hierarchies)
      return [found.cpu?.path, found.processes?.path]
    }
    let own = "/docker/\(id.text)"
    #expect(cgroups("4:cpu,cpuacct:\(own)\n3:pids:\(own)/made/inside\n0::/\n") == ["/c/cpu" + own, "/c/pids" + own])
    let scope = "/system.slice/docker-\(id.text).scope"
    #expect(cgroups("0::\(scope)/init\n") == ["/c/unified" + scope, "/c/unified" + scope])
    #expect(cgroups("4:cpu:/\n3:pids:/docker/other\n0::/x/../\(id.text)\n") == [nil, nil])
  }

  @Test func whatAnEngineGivesAContainerIsFoundByItsDirectory() {
    let id = String(repeating: "0f", count: 32)
    let text = """
      10 1 8:1 /var/lib/docker/containers/\(id)/hosts /etc/hosts rw - ext4 x rw
      11 1 8:1 /containers/\(id)/resolv.conf /a\\040b/resolv.conf rw - ext4 x rw
      12 1 8:1 /etc/hostname /etc/hostname rw - ext4 x rw
      13 1 8:1 /containers/\(id)/config.json /x rw - ext4 x rw
      14 1 8:1 /docker/volumes/\(id)/_data /vol rw - ext4 x rw
      15 1 8:1 /docker/volumes/name/_data /named rw - ext4 x rw
      16 1 8:1 /docker/volumes/\(id)/_data/_data /deeper rw - ext4 x rw

      """
    let found = EngineFiles.places(mountinfo: Array(text.utf8))
    #expect(found.map(\.id) == [10, 11, 14])
    #expect(found.map { String(decoding: $0.place, as: UTF8.self) } == ["/etc/hosts", "/a b/resolv.conf", "/vol"])
  }

  @Test func cgroupsOfAProcessAreFoundInBothVersions() throws {
    let root = "/tmp/aurora-usage-\(CurrentProcess.pid)"
    defer { try? removeTree(root) }
    var hierarchies = CgroupHierarchies()
    hierarchies.version1 = ["memory": root + "/memory", "freezer": root + "/freezer"]
    hierarchies.version2 = root + "/unified"
    for (file, content) in [
      ("memory/docker/abc/memory.max_usage_in_bytes", "77\n"), ("memory/docker/abc/memory.oom_control", "oom_kill 2\n"),
      ("freezer/docker/abc/freezer.state", "FROZEN\n"), ("unified/docker/abc/cpu.stat", "usage_usec 5\n"),
      ("unified/docker/abc/memory.peak", "99\n"),
    ] {
      let path = root + "/" + file
      let slash = try #require(path.lastIndex(of: "/"))
      try makeDirectories(String(path[..<slash]))
      try writeFileAtomically(path, Array(content.utf8))
    }
    let text = "9:memory:/docker/abc\n4:cpuset,freezer:/docker/abc\n3:name=systemd:/x\nbroken\n0::/docker/abc\n"
    let usage = DockerUsage(cgroups: Array(text.utf8), hierarchies: hierarchies)
    #expect(usage.now.memoryPeakBytes == 77 && usage.now.outOfMemoryKills == 2 && usage.now.cpuNanoseconds == 5000)
    #expect(usage.isFrozen)
    let unified = DockerUsage(cgroups: Array("0::/docker/abc\n".utf8), hierarchies: hierarchies)
    #expect(unified.now.memoryPeakBytes == 99 && !unified.isFrozen)
  }

  /// One entry of a tar archive.
  private func entry(_ type: Character, _ content: String, size: String? = nil) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    header[0] = UInt8(ascii: "f")
    let octal = size ?? String(content.utf8.count, radix: 8)
    header.replaceSubrange(124..<(124 + octal.utf8.count), with: Array(octal.utf8))
    header[156] = type.asciiValue ?? 0
    return header + Array(content.utf8) + [UInt8](repeating: 0, count: (512 - content.utf8.count % 512) % 512)
  }

  @Test func theContentOfASingleFileIsFoundBehindItsAttributes() {
    let end = [UInt8](repeating: 0, count: 1024)
    #expect(SingleFileArchive.content(entry("0", "text") + end) == Array("text".utf8))
    #expect(SingleFileArchive.content(entry("x", "11 a=b") + entry("0", "text") + end) == Array("text".utf8))
    #expect(SingleFileArchive.content(entry("0", "")) == [])
  }

  /// A link's archive, whose text stands in the header.
  private func link(_ text: String, after attributes: [UInt8] = []) -> [UInt8] {
    var entry = entry("2", "")
    entry.replaceSubrange(157..<(157 + text.utf8.count), with: Array(text.utf8))
    return attributes + entry
  }

  @Test func theTextOfALinkIsFoundWhereItIsWhole() {
    #expect(SingleFileArchive.link(link("/a/../b")) == Array("/a/../b".utf8))
    #expect(SingleFileArchive.link(link("x", after: entry("x", "11 a=b"))) == Array("x".utf8))
    for archive in [
      [], entry("0", "text"), link(""), link("x", after: entry("x", "20 linkpath=/y")),
      link(String(repeating: "x", count: 100)),
    ] {
      #expect(SingleFileArchive.link(archive) == nil)
    }
  }

  @Test func mountsAreLaidOutAsTheEngineDoesIt() throws {
    let host = DockerMountPoints.Content.host("/proc/1")
    func refusal(_ points: [DockerMountPoints.Point], _ links: [String: String] = [:]) throws -> String? {
      do throws(ExecutorFailure) {
        try DockerMountPoints(points).check { (path) throws(ExecutorFailure) in links[path].map { Array($0.utf8) } }
        return nil
      } catch {
        return error.message
      }
    }
    let bound = DockerMountPoints.Point("/a", .directory, host)
    #expect(try refusal([.init("/a/new", .directory), bound])?.contains("/a/new of the container") == true)
    #expect(try refusal([.init("/a/task", .directory), .init("/a/status", .file), bound]) == nil)
    #expect(try refusal([.init("/a/status", .directory), bound])?.contains("no directory") == true)
    #expect(try refusal([.init("/a/exe", .file), bound])?.contains("a link on the way") == true)
    // In what is mounted within it.
    #expect(try refusal([bound, .init("/a/task", .directory), .init("/a/task/new", .directory)]) == nil)
    // At one depth, in either order.
    #expect(try refusal([bound, .init("/0", .directory)], ["/0": "a/new"])?.contains("/0 of the container") == true)
    #expect(
      try refusal([bound, .init("/z", .directory)], ["/z": "/x/../a/new"])?.contains("/z of the container") == true)
    #expect(try refusal([bound, .init("/z", .directory)], ["/z": "z"])?.contains("too many links") == true)
    #expect(try refusal([.init("/v", .directory, .unseen("x")), .init("/v/a", .node)])?.contains("not known") == true)
  }

  @Test func placesAreWhereTheirTargetsSayAndNobodyElseIs() throws {
    let engine: [DockerMountPoints.Point] = [
      .init("/proc", .directory, .unseen("/proc"), isEngines: true), .init("/dev", .directory, isEngines: true),
      .init("/sys", .directory, .unseen("/sys"), isEngines: true),
      .init("/sys/fs/cgroup", .directory, .unseen("/sys/fs/cgroup"), isEngines: true),
    ]
    func refusal(_ points: [DockerMountPoints.Point], _ links: [String: String] = [:]) throws -> String? {
      do throws(ExecutorFailure) {
        try DockerMountPoints(engine + points).check { (path) throws(ExecutorFailure) in
          links[path].map { Array($0.utf8) }
        }
        return nil
      } catch {
        return error.message
      }
    }
    let (host, links) = (DockerMountPoints.Content.host("/proc/1"), ["/l": "/dev", "/t/l": "/a", "/v/l": "/a"])
    #expect(try refusal([.init("/l", .directory, host)], links)?.contains("leads to /dev") == true)
    #expect(try refusal([.init("/l/x", .node)], links)?.contains("leads to /dev/x") == true)
    #expect(try refusal([.init("/dev/x", .node), .init("/dev/y", .directory, host)], links) == nil)
    #expect(try refusal([.init("/dev/null", .file, host)])?.contains("/dev/null") == true)
    #expect(try refusal([.init("/proc/self/root/a", .directory)])?.contains("below /proc or /sys") == true)
    #expect(try refusal([.init("/l", .directory)], ["/l": "/"])?.contains("leads to /,") == true)
    #expect(try refusal([.init("/sys", .directory)])?.contains("on one place") == true)
    #expect(try refusal([.init("/a", .directory), .init("/a", .node)])?.contains("on one place") == true)
    #expect(
      try refusal([.init("/l", .directory), .init("/x", .directory)], ["/l": "x"])?.contains("on one place") == true)
    #expect(
      try refusal([.init("/l", .directory), .init("/a/b", .directory)], ["/l": "/a/b/c"])?.contains("would cover")
        == true)
    // What the image has below a tmpfs is not seen; in a volume that it fills it is.
    #expect(
      try refusal([.init("/t", .directory), .init("/t/l", .directory), .init("/a", .directory, host)], links) == nil)
    #expect(
      try refusal([.init("/v", .directory, .copied), .init("/v/l", .directory)], links)?.contains("a link on the way")
        == true)
    #expect(
      try refusal([.init("/t", .directory), .init("/t/v", .directory, .copied), .init("/t/v/x", .directory)]) == nil)
    #expect(
      try refusal(
        [.init("/t", .directory), .init("/t/l", .directory, .copied), .init("/t/l/x", .directory)], links)?
        .contains("not known") == true)
    #expect(try refusal([.init("/b", .directory)], ["/b": "/dev/../c"])?.contains("a link of the image") == true)
    #expect(try refusal([.init("/d", .nodes)])?.contains("a whole directory of devices") == true)
    #expect(try refusal([.init("/dev/d", .nodes)]) == nil)
  }

  @Test func anythingElseIsNoFile() {
    for archive in [
      [], entry("2", ""), entry("5", ""), entry("0", "text", size: "7777777"), entry("0", "text", size: "9"),
      entry("x", "text", size: "77777777777"), [UInt8](repeating: 0, count: 1024), Array(entry("0", "t").prefix(512)),
    ] {
      #expect(SingleFileArchive.content(archive) == nil)
    }
  }
}
