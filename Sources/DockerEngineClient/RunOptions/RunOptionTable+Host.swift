extension RunOptionTable {
  /// What a container sees of files.
  static let files: [Option] = [
    Option("mount", [], .repeatable(MountOption.mount)),
    Option("read-only", [], flag(\.hostConfig.readOnlyRoot)),
    Option("shm-size", [], size(\.hostConfig.shmSize)),
    Option("storage-opt", [], map(\.hostConfig.storageOptions)),
    Option("tmpfs", [], .repeatable(VolumeOption.tmpfs)),
    Option("volume", ["v"], .repeatable(VolumeOption.volume)),
    Option("volume-driver", [], text(\.hostConfig.volumeDriver)),
    Option("volumes-from", [], .repeatable(VolumeOption.volumesFrom)),
  ]

  /// How it is reached.
  static let networks: [Option] = [
    Option("add-host", [], list(\.hostConfig.extraHosts, NetworkOption.extraHost)),
    Option("dns", [], list(\.hostConfig.dns, IPAddressText.check)),
    Option("dns-option", ["dns-opt"], list(\.hostConfig.dnsOptions)),
    Option("dns-search", [], list(\.hostConfig.dnsSearch, NetworkOption.searchDomain)),
    Option("expose", [], .repeatable(PortOption.expose(_:range:))),
    Option(
      "ip", [],
      endpoint { (state, value) throws(RunOptionProblem) in
        state.endpoint.ipv4Address = try NetworkOption.ipv4(value)
      }),
    Option(
      "ip6", [],
      endpoint { (state, value) throws(RunOptionProblem) in
        state.endpoint.ipv6Address = try NetworkOption.ipv6(value)
      }),
    Option(
      "link", [],
      list(\.hostConfig.links) { (text) throws(RunOptionProblem) in
        let parts = SplitText.parts(text, ":")
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else { throw .value(text, "container[:alias]") }
        return text
      }),
    Option(
      "link-local-ip", [],
      .repeatable { (state, value) throws(RunOptionProblem) in
        state.endpoint.linkLocalAddresses.append(try IPAddressText.check(value))
      }),
    Option(
      "mac-address", [],
      endpoint { (state, value) throws(RunOptionProblem) in
        state.request.spec.macAddress = try IPAddressText.macAddress(value)
      }),
    Option("network", ["net"], .repeatable(NetworkOption.network)),
    Option(
      "network-alias", ["net-alias"],
      .repeatable { (state, value) throws(RunOptionProblem) in
        state.endpoint.aliases.append(try RunOptionValue.text(value, "an alias"))
      }),
    Option("publish", ["p"], .repeatable(PortOption.publish)),
    Option("publish-all", ["P"], flag(\.hostConfig.publishAllPorts)),
  ]

  private static func endpoint(_ set: @escaping Handler) -> Effect { .single(set) }

  /// What it may use.
  static let limits: [Option] = [
    Option(
      "blkio-weight", [],
      .single { (state, value) throws(RunOptionProblem) in
        state.request.hostConfig.resources.blkioWeight = try DeviceOption.weight(value: value)
      }),
    Option("blkio-weight-device", [], rates(\.blkioWeightDevices, DeviceOption.weight(_:))),
    Option("cpu-period", [], number(\.hostConfig.resources.cpuPeriod)),
    Option("cpu-quota", [], number(\.hostConfig.resources.cpuQuota, -1...Int64.max)),
    Option("cpu-rt-period", [], number(\.hostConfig.resources.cpuRealtimePeriod)),
    Option("cpu-rt-runtime", [], number(\.hostConfig.resources.cpuRealtimeRuntime)),
    Option("cpu-shares", ["c"], number(\.hostConfig.resources.cpuShares)),
    Option(
      "cpus", [],
      .single { (state, value) throws(RunOptionProblem) in
        state.request.hostConfig.resources.nanoCPUs = try RunOptionValue.nanoCPUs(value)
      }),
    Option("cpuset-cpus", [], text(\.hostConfig.resources.cpusetCPUs)),
    Option("cpuset-mems", [], text(\.hostConfig.resources.cpusetMemoryNodes)),
    Option("device-read-bps", [], rates(\.blkioReadBytes, DeviceOption.byteRate)),
    Option("device-read-iops", [], rates(\.blkioReadOperations, DeviceOption.operationRate)),
    Option("device-write-bps", [], rates(\.blkioWriteBytes, DeviceOption.byteRate)),
    Option("device-write-iops", [], rates(\.blkioWriteOperations, DeviceOption.operationRate)),
    Option("memory", ["m"], size(\.hostConfig.resources.memory)),
    Option("memory-reservation", [], size(\.hostConfig.resources.memoryReservation)),
    Option(
      "memory-swap", [],
      .single { (state, value) throws(RunOptionProblem) in
        let unlimited = value.utf8.elementsEqual("-1".utf8)
        state.request.hostConfig.resources.memorySwap = unlimited ? -1 : try RunOptionValue.size(value)
      }),
    Option(
      "memory-swappiness", [],
      .single { (state, value) throws(RunOptionProblem) in
        let swappiness = try RunOptionValue.integer(value, -1...100)
        state.request.hostConfig.resources.memorySwappiness = swappiness == -1 ? nil : swappiness
      }),
    Option(
      "oom-kill-disable", [],
      .single { (state, value) throws(RunOptionProblem) in
        state.request.hostConfig.resources.oomKillDisable = try RunOptionValue.bool(value)
      }),
    Option("oom-score-adj", [], number(\.hostConfig.oomScoreAdjustment, -1000...1000)),
    Option("pids-limit", [], number(\.hostConfig.resources.pidsLimit, -1...Int64.max)),
    Option("ulimit", [], .repeatable(DeviceOption.ulimit)),
    Option("kernel-memory", [], ignored("kernel-memory has no effect: kernels do not limit it any more")),
  ]

  /// What it may do.
  static let privileges: [Option] = [
    Option("cap-add", [], list(\.hostConfig.addCapabilities, SecurityOption.capability)),
    Option("cap-drop", [], list(\.hostConfig.dropCapabilities, SecurityOption.capability)),
    Option("cgroup-parent", [], text(\.hostConfig.cgroupParent)),
    Option("cgroupns", [], mode(\.hostConfig.cgroupNamespaceMode, ["", "host", "private"])),
    Option("device", [], .repeatable(DeviceOption.device)),
    Option("device-cgroup-rule", [], list(\.hostConfig.deviceCgroupRules, DeviceOption.cgroupRule)),
    Option("gpus", [], .repeatable(DeviceOption.gpus)),
    Option("ipc", [], mode(\.hostConfig.ipcMode, ["", "none", "private", "shareable", "host"], orContainer: true)),
    Option("isolation", [], text(\.hostConfig.isolation)),
    Option("pid", [], mode(\.hostConfig.pidMode, ["", "host"], orContainer: true)),
    Option("privileged", [], flag(\.hostConfig.privileged)),
    Option("security-opt", [], .repeatable(SecurityOption.security)),
    Option("sysctl", [], .repeatable(SecurityOption.sysctl)),
    Option("userns", [], mode(\.hostConfig.userNamespaceMode, ["", "host"])),
    Option("uts", [], mode(\.hostConfig.utsMode, ["", "host"])),
  ]

  /// Logs, pulling, and what cannot be had.
  static let others: [Option] = [
    Option(
      "log-driver", [],
      .single { (state, value) throws(RunOptionProblem) in
        state.logDriver = try RunOptionValue.text(value, "a log driver")
      }),
    Option(
      "log-opt", [],
      .repeatable { (state, value) throws(RunOptionProblem) in
        let (name, text) = RunOptionValue.cut(value, "=")
        guard !name.isEmpty else { throw .value(value, "name=value") }
        state.logOptions[name] = text ?? ""
      }),
    Option(
      "pull", [],
      .single { (state, value) throws(RunOptionProblem) in
        guard let policy = DockerRunOptions.PullPolicy(rawValue: value) else {
          throw .value(value, "always, missing or never")
        }
        state.pull = policy
      }),
    Option("quiet", ["q"], .single { (_, value) throws(RunOptionProblem) in _ = try RunOptionValue.bool(value) }),
    Option("disable-content-trust", [], ignored("disable-content-trust has no effect: engines check no signatures")),

    Option("rm", [], .refused("the container is removed once its outcome has been read, never by the engine before")),
    Option("detach", ["d"], .refused("the container is watched to its end")),
    Option("name", [], .refused("the name says whose container it is, and is how it is found again")),
    Option("restart", [], .refused("a restart by the engine would run the task again behind its own retries")),
    Option("cidfile", [], .refused("the container's id is in the result, and nothing is written beside it")),
    Option("sig-proxy", [], .refused("signals are not passed on; stopping follows the task's own rules")),
    Option("interactive", ["i"], .refused("nobody is at the input of a task")),
    Option("attach", ["a"], .refused("output goes to the task's own logs, and nobody is at its input")),
    Option("detach-keys", [], .refused("there is no terminal to detach from")),
    Option("use-api-socket", [], .refused("it would hand the engine and its credentials to the task")),
    Option("help", [], .refused("it is for people")),
    Option("cpu-count", [], .refused("it is for Windows only")),
    Option("cpu-percent", [], .refused("it is for Windows only")),
    Option("io-maxbandwidth", [], .refused("it is for Windows only")),
    Option("io-maxiops", [], .refused("it is for Windows only")),
  ]
}
