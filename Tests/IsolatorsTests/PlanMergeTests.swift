import LaunchModel
import LinuxKernel
import Testing

@testable import Isolators

@Suite struct PlanMergeTests {
  private var host: HostFacts {
    var cgroups = CgroupHierarchies()
    for name in ["cpu", "cpuacct", "cpuset", "freezer", "memory", "pids", "devices", "name=systemd"] {
      cgroups.version1[name] = "/cg/\(name)"
    }
    return HostFacts(cgroups: cgroups, isRoot: true)
  }

  private func config(image: Bool = true) -> ContainerConfig {
    var config = ContainerConfig(
      id: "t", identity: Identity(name: "w", uid: 33, gid: 33, groupName: "w", supplementaryGroups: []),
      resources: .init(cpus: 0.5, memoryBytes: 64 << 20),
      root: image ? .image(layers: ["/l"], upper: "/u", work: "/k") : .host,
      sandboxHostPath: "/s", logsHostPath: "/logs", sandbox: image ? "/mnt/mesos/sandbox" : "/s", hostname: "h")
    config.image = image ? .init(environment: [], entrypoint: [], command: [], workingDirectory: "") : nil
    config.isolators = Set(BuiltInIsolators.names)
    return config
  }

  private func plan(_ config: ContainerConfig) throws -> LaunchPlan {
    let isolators = try BuiltInIsolators.select(BuiltInIsolators.names, host: host)
    return try LaunchPlan(merging: try isolators.map { ($0.name, try $0.prepare(config)) }, container: config)
  }

  @Test func theAccountIsMadeAfterTheRootHasChangedAndMasksComeLast() throws {
    let steps = try plan(config()).steps
    let pivot = try #require(steps.firstIndex(of: .pivot))
    let account = try #require(steps.firstIndex { if case .account = $0 { true } else { false } })
    let mask = try #require(steps.firstIndex(of: .mask("/proc/kcore")))
    #expect(pivot < account && account < mask)
    #expect(steps[..<pivot].contains { if case .mount("tmpfs", "/dev", _, _) = $0 { true } else { false } })
  }

  @Test func limitsBecomeTheKernelsFiles() throws {
    let plan = try plan(config())
    func value(_ setups: [CgroupSetup], _ directory: String, _ file: String) -> String? {
      setups.first { $0.directory == "/cg/\(directory)" }?.settings.first { $0.file == file }?.value
    }
    #expect(value(plan.cgroups, "cpu/aurora-executor/t/task", "cpu.shares") == "512")
    #expect(value(plan.cgroups, "cpu/aurora-executor/t/task", "cpu.cfs_quota_us") == "50000")
    #expect(value(plan.cgroups, "memory/aurora-executor/t/task", "memory.limit_in_bytes") == String(64 << 20))
    #expect(value(plan.cgroups, "pids/aurora-executor/t/task", "pids.max") == "4096")
    #expect(value(plan.sharedCgroups, "devices/aurora-executor/t", "devices.deny") == "a")
  }

  @Test func theWholeMayHaveMoreThanTheTaskForInit() throws {
    var config = config()
    config.processCount = 100
    let plan = try plan(config)
    let memory = try #require(plan.initCgroups.first { $0.directory == "/cg/memory/aurora-executor/t" })
    #expect(memory.settings.first?.value == String(2 * (64 << 20) + 100 * (512 << 10)))
    let cpu = try #require(plan.initCgroups.first { $0.directory == "/cg/cpu/aurora-executor/t" })
    #expect(cpu.settings.map(\.value) == ["512", "100000", "100000"])
  }

  @Test func everyHierarchyHasACgroupOfTheContainerOnce() throws {
    let plan = try plan(config())
    let directories = (plan.sharedCgroups + plan.cgroups).map(\.directory)
    #expect(Set(directories).count == directories.count)
    for (name, mount) in host.cgroups.version1 {
      #expect(directories.contains { $0.utf8.starts(with: (mount + "/aurora-executor/t").utf8) }, "\(name)")
    }
    #expect(Namespaces(rawValue: plan.namespaces).contains(.cgroup))
    #expect(plan.sharedCgroups.first { $0.directory.contains("cpuset") }?.inherited == ["cpuset.cpus", "cpuset.mems"])
  }

  @Test func aHierarchyThatIsNotMountedRefusesTheLaunch() {
    var host = host
    host.cgroups.unmounted = ["freezer"]
    #expect(NamespacesCgroup(host: host).unsupported()?.contains("freezer") == true)
    #expect(!NamespacesCgroup(host: host).isDispensable(for: config()))
  }

  /// A host of version 2 alone, as most boot today.
  private var unified: HostFacts {
    var cgroups = CgroupHierarchies()
    cgroups.version2 = "/cg"
    cgroups.version2Controllers = ["cpu", "memory", "pids"]
    return HostFacts(cgroups: cgroups, isRoot: true)
  }

  @Test func version2HasTheSameLimitsInItsOwnFiles() throws {
    let isolators = try BuiltInIsolators.select(BuiltInIsolators.names, host: unified)
    let config = config()
    let plan = try LaunchPlan(merging: try isolators.map { ($0.name, try $0.prepare(config)) }, container: config)
    #expect(plan.cgroups.isEmpty && plan.initCgroups.isEmpty && plan.sharedCgroups.isEmpty)
    #expect(plan.version2Cgroups.map(\.directory) == ["/cg/aurora-executor/t", "/cg/aurora-executor/t/task"])
    for setup in plan.version2Cgroups { #expect(setup.controllers == ["cpu", "memory", "pids"]) }
    // As much again, and room for init: at least 64 MiB and something for each process.
    let wholeBytes = (64 << 20) + (64 << 20) + config.processCount * (512 << 10)
    func settings(_ index: Int) -> [String] { plan.version2Cgroups[index].settings.map { "\($0.file) \($0.value)" } }
    #expect(
      settings(0) == [
        "cpu.weight 50", "cpu.max 100000 100000", "memory.max \(wholeBytes)",
        "memory.swap.max 0", "memory.low 67108864",
      ])
    #expect(
      settings(1) == [
        "cpu.weight 50", "cpu.max 50000 100000", "memory.max 67108864", "memory.swap.max 0", "memory.low 67108864",
        "pids.max 4096",
      ])
    #expect(plan.version2Cgroups[0].deviceProgram.isEmpty && !plan.version2Cgroups[1].deviceProgram.isEmpty)
    #expect(plan.binds.first?.source == "/cg/aurora-executor/t/task" && plan.binds.first?.target == "/sys/fs/cgroup")
  }

  @Test func whereADeviceIsAllowedItsNumbersDecide() {
    #expect(CgroupsDevices(host: unified).unsupported() == nil)
    #expect(
      CgroupsDevices.allowed.map(\.version1) == [
        "c *:* m", "b *:* m", "c 5:2 rwm", "c 136:* rwm", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm",
        "c 1:9 rwm", "c 5:0 rwm",
      ])
    let nothing = CgroupsDevices(host: HostFacts(cgroups: CgroupHierarchies(), isRoot: true))
    #expect(nothing.unsupported() != nil && !nothing.isDispensable(for: config()))
  }

  @Test func whatATaskAsksForHasAnIsolatorOrIsRefused() throws {
    var config = config()
    config.volumes = [.init(containerPath: "/v", hostPath: "/tmp", readOnly: true)]
    config.limits = [.init(name: "NOFILE", soft: 1, hard: 1)]
    config.isolators = Set(BuiltInIsolators.names)
    try config.requireConsumers()
    for name in ["filesystem/linux", "volume/host_path", "posix/rlimits"] {
      config.isolators = Set(BuiltInIsolators.names).subtracting([name])
      let error = #expect(throws: IsolationError.self) { try config.requireConsumers() }
      #expect(error?.isolator == name && error?.isUnavailable == true)
    }
  }

  @Test func volumesNeverCoverTheSandboxItsLogsOrWhatLiesAbove() throws {
    var config = config()
    for path in [
      "/mnt", "/mnt/mesos", "/mnt/mesos/sandbox", "/mnt/mesos/sandbox/.logs", "mnt//mesos/./sandbox/.logs/p",
    ] {
      config.volumes = [.init(containerPath: path, hostPath: "/tmp", readOnly: false)]
      #expect(throws: IsolationError.self) { try plan(config) }
    }
    config.volumes = [.init(containerPath: "/mnt/mesos/sandbox/data/x", hostPath: "/tmp", readOnly: false)]
    #expect(try plan(config).sandboxEntries == [SandboxEntry("data/x", isDirectory: true)])
  }

  @Test func aHostTaskKeepsTheHostsRoot() throws {
    let steps = try plan(config(image: false)).steps
    #expect(steps.first == .hostRoot)
    #expect(!steps.contains(.pivot))
    #expect(steps.contains { if case .mount("proc", "/proc", _, _) = $0 { true } else { false } })
  }

  @Test func twoIsolatorsThatWantOneFieldAreBothNamed() {
    var fragment = PlanFragment()
    fragment.noNewPrivileges = true
    let error = #expect(throws: IsolationError.self) {
      try LaunchPlan(merging: [("one", fragment), ("two", fragment)], container: config())
    }
    #expect(error?.description.contains("one") == true && error?.description.contains("two") == true)
  }

  @Test func unknownAndRepeatedIsolatorsAreErrors() {
    #expect(throws: IsolationError.self) { try BuiltInIsolators.select(["cgroups/memory"], host: host) }
    #expect(throws: IsolationError.self) { try BuiltInIsolators.select(["linux/nnp", "linux/nnp"], host: host) }
  }

  @Test func theOrderIsTheTablesNotTheCommandLines() throws {
    let selected = try BuiltInIsolators.select(["volume/host_path", "filesystem/linux"], host: host)
    #expect(selected.map(\.name) == ["filesystem/linux", "volume/host_path"])
  }

  @Test func resourceLimitsNeedBothValuesAndKnownNames() throws {
    var config = config()
    config.limits = [.init(name: "RLMT_NOFILE", soft: 10, hard: 20)]
    #expect(try plan(config).restrictions.limits.contains(ResourceLimit(resource: 7, soft: 10, hard: 20)))
    for limit in [
      ContainerConfig.NamedLimit(name: "RLMT_NOFILE", soft: 10, hard: nil), .init(name: "RLMT_X", soft: 1, hard: 1),
      .init(name: "NOFILE", soft: 2, hard: 1),
    ] {
      config.limits = [limit]
      #expect(throws: IsolationError.self) { try plan(config) }
    }
  }

  @Test func effectiveCapabilitiesMustBeWithinTheBoundingOnes() throws {
    var config = config()
    config.boundingCapabilities = ["NET_RAW"]
    config.effectiveCapabilities = ["NET_RAW", "CHOWN"]
    #expect(throws: IsolationError.self) { try plan(config) }
    config.boundingCapabilities = []
    config.effectiveCapabilities = nil
    #expect(try plan(config).restrictions.boundingCapabilities == 0)
  }

  @Test(arguments: ["/proc/x", "/sys", "dev/null", "..", "/a/../b", "/"])
  func volumesMayNotCoverTheKernelOrLeaveTheRoot(path: String) {
    var config = config()
    config.volumes = [.init(containerPath: path, hostPath: "/tmp", readOnly: false)]
    #expect(throws: IsolationError.self) { try plan(config) }
  }
}
