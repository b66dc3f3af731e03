import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import Testing

@testable import DockerEngineClient
@testable import Executor
@testable import OperatorPolicy
@testable import TaskStore

/// What documents ask for that needs leave, in both back ends.
struct PolicyDemandTests {
  private let identity = Identity(name: "svc", uid: 33, gid: 33, groupName: "svc", supplementaryGroups: [7])
  private let settings = RunSettings(role: "svc", hostname: "h", isolation: RunSettings.defaultIsolation)

  /// Members of records that may ask for something that needs leave, and those that ask for nothing of the host.
  private static let reach: [(record: String, asks: String, harmless: String)] = [
    (
      "Job", "role",
      "name cluster environment task container health_check_config lifecycle announce $schema contact "
        + "instances tier cron_schedule cron_collision_policy update_config constraints metadata service "
        + "max_task_failures production priority task_links executor_config enable_hooks partition_policy "
        + "sla_policy"
    ),
    (
      "Task", "processes finalization_wait",
      "name constraints resources max_failures max_concurrency user max_completion_time"
    ),
    (
      "Process", "max_failures",
      "name cmdline daemon ephemeral min_duration final logger resources after success_exit_codes "
        + "stop_signal stop_timeout backoff health_check_config"
    ),
    ("Logger", "", "destination mode rotate"),
    ("RotatePolicy", "", "log_size backups"),
    ("Backoff", "", "factor max jitter"),
    (
      "HealthCheckConfig", "",
      "health_checker initial_interval_secs interval_secs max_consecutive_failures "
        + "min_consecutive_successes timeout_secs"
    ),
    ("HealthCheckerConfig", "", "http shell tcp"),
    ("HttpHealthChecker", "", "endpoint expected_response expected_response_code port"),
    ("ShellHealthChecker", "", "shell_command"),
    ("TcpHealthChecker", "", "port"),
    ("Constraint", "", "order"),
    ("Resources", "gpu pids", "cpu ram disk"),
    ("Mesos", "volumes linux_info rlimit_info network_infos", "image tty_info"),
    ("DockerImage", "", "name tag"),
    ("AppcImage", "", "name image_id labels"),
    ("Volume", "host_path source", "container_path mode"),
    ("VolumeSource", "host_path", "type sandbox_path"),
    ("HostPath", "path", ""),
    ("SandboxPath", "", "type path"),
    (
      "LinuxInfo",
      "capability_info bounding_capabilities effective_capabilities share_pid_namespace ipc_mode shm_size seccomp",
      ""
    ),
    ("CapabilityInfo", "capabilities", ""),
    ("SeccompInfo", "profile_name unconfined", ""),
    ("RLimitInfo", "rlimits", ""),
    ("RLimit", "type hard", "soft"),
    ("TTYInfo", "", "window_size"),
    ("WindowSize", "", "rows columns"),
    ("Docker", "parameters network port_mappings privileged", "image force_pull_image"),
    ("Parameter", "name value", ""),
    ("PortMapping", "host_port container_port protocol", ""),
    ("LifecycleConfig", "", "http"),
    (
      "HttpLifecycleConfig", "graceful_shutdown_wait_secs shutdown_wait_secs",
      "port graceful_shutdown_endpoint shutdown_endpoint"
    ),
    ("Announcer", "", "primary_port portmap zk_path"),
    (
      "UpdateConfig", "",
      "batch_size watch_secs max_per_shard_failures max_total_failures rollback_on_failure "
        + "wait_for_batch_completion pulse_interval_secs sla_aware update_strategy"
    ),
    ("Metadata", "", "key value"),
    ("ExecutorConfig", "", "name data"),
    ("PartitionPolicy", "", "reschedule delay_secs"),
    ("TaskInstance", "role", "task environment instance container health_check_config lifecycle announce $schema"),
    (
      "BareTask", "processes finalization_wait",
      "name constraints resources max_failures max_concurrency user max_completion_time container "
        + "health_check_config lifecycle announce $schema"
    ),
  ]

  /// Who adds a field has to say which of the two it is: what asks for something of the host is a demand as well.
  @Test func everyFieldOfADocumentIsClassified() throws {
    let records = try #require(TaskSchema.json["$defs"]?.members)
    #expect(records.map(\.key) == Self.reach.map(\.record))
    for (record, known) in zip(records, Self.reach) {
      let fields = (record.value["properties"]?.members ?? []).map(\.key)
      let classified = (known.asks + " " + known.harmless).split(separator: " ").map(String.init)
      #expect(fields.sorted() == classified.sorted(), "\(record.key)")
    }
  }

  /// What the container asks for: the rest is the same for all.
  private func demands(_ container: String) throws -> [String] {
    let text = #"{"name": "t", "processes": [{"name": "p", "cmdline": "x"}], "container": \#(container)}"#
    let (document, diagnostics) = TaskDocument.decode(Array(text.utf8))
    let task = try #require(document?.standIn().task, "\(diagnostics)")
    return PolicyDemands.of(task, identity, settings).map { demand in
      if case .hostPath(let path, let writable, let leavesMounts) = demand.kind {
        return "host_path \(path) \(writable ? "RW" : leavesMounts ? "RO+" : "RO")"
      }
      return "\(demand.kind.name) \(demand.kind.value)"
    }.filter {
      !$0.utf8.starts(with: "role ".utf8) && $0 != "ceiling processes 1" && $0 != "ceiling finalization_wait 30"
    }
  }

  @Test(arguments: [
    (#"{"mesos": {}}"#, []),
    (
      #"{"mesos": {"volumes": [{"container_path": "/a", "host_path": "/b", "mode": "RO"},"#
        + #" {"container_path": "/c", "host_path": "d", "mode": "RW"},"#
        + #" {"container_path": "/e", "mode": "RW", "source": {"type": "HOST_PATH", "host_path": {"path": "/f"}}}]}}"#,
      ["host_path /b RO", "host_path /f RW"]
    ),
    (
      #"{"mesos": {"linux_info": {"bounding_capabilities": {"capabilities": ["CHOWN", "SYS_ADMIN", "NET_RAW"]},"#
        + #" "effective_capabilities": {"capabilities": ["SYS_ADMIN", "NET_RAW"]}}}}"#,
      ["capability SYS_ADMIN", "capability NET_RAW"]
    ),
    (
      #"{"mesos": {"linux_info": {"share_pid_namespace": true, "ipc_mode": "SHARE_PARENT"}}}"#,
      ["host_namespace pid", "host_namespace ipc"]
    ),
    (#"{"mesos": {"linux_info": {"shm_size": 64, "ipc_mode": "PRIVATE"}}}"#, ["ceiling shm 67108864"]),
    (#"{"mesos": {"linux_info": {"seccomp": {"unconfined": true}}}}"#, ["seccomp unconfined"]),
    (#"{"mesos": {"linux_info": {"seccomp": {"profile_name": "/p.json"}}}}"#, ["seccomp /p.json"]),
    (#"{"mesos": {"linux_info": {"seccomp": {"profile_name": "default"}}}}"#, []),
    (#"{"mesos": {"network_infos": [{"name": "n"}, {}]}}"#, ["network n", "network "]),
    (#"{"docker": {"image": "x", "network": "BRIDGE"}}"#, []), (#"{"docker": {"image": "x", "network": "NONE"}}"#, []),
    (#"{"docker": {"image": "x", "privileged": true}}"#, ["privilege container"]),
    (
      #"{"docker": {"image": "x", "network": "BRIDGE", "port_mappings": [{"host_port": 1, "container_port": 2}]}}"#,
      ["docker_parameter publish"]
    ),
  ])
  func fieldsOfTheDocument(container: String, expected: [String]) throws {
    #expect(try demands(container) == expected)
  }

  /// Name, value, and what the value asks for beyond the name.
  private static let parameters: [(String, String, [String])] = [
    ("annotation", "a=b", ["privilege runtime"]),
    ("cap-add", "all", ["capability ALL"]), ("cap-add", "CAP_sys_admin", ["capability SYS_ADMIN"]),
    ("cap-add", "chown", []), ("cap-add", "net_raw", ["capability NET_RAW"]), ("cap-drop", "ALL", []),
    ("cgroup-parent", "/x", ["privilege cgroup_parent"]), ("cgroupns", "host", ["host_namespace cgroup"]),
    ("cgroupns", "private", []), ("cpu-rt-period", "1000", ["privilege realtime"]),
    ("cpu-rt-runtime", "1000", ["privilege realtime"]), ("device", "/dev/fuse:/dev/x:r", ["device /dev/fuse"]),
    ("device", "vendor.com/gpu=0", ["device vendor.com/gpu=0"]),
    ("device-cgroup-rule", "c *:* rwm", ["device c *:* rwm"]),
    ("env-file", "/etc/shadow", []), ("label-file", "/etc/shadow", []), ("rm", "true", []), ("tty", "true", []),
    ("tty", "false", []), ("gpus", "all", ["device gpus"]),
    ("group-add", "7", []), ("group-add", "0", ["privilege groups"]), ("group-add", "docker", ["privilege groups"]),
    ("ipc", "host", ["host_namespace ipc"]), ("ipc", "container:a", ["privilege other_containers"]),
    ("ipc", "private", []), ("link", "a:b", ["privilege other_containers"]), ("network", "host", []),
    ("net", "web", ["network web"]), ("network", "name=web,alias=x", ["network web"]),
    ("network", "container:a", ["privilege other_containers"]), ("oom-kill-disable", "true", ["privilege oom"]),
    ("oom-score-adj", "-1", ["privilege oom"]), ("oom-score-adj", "1", []), ("pid", "host", ["host_namespace pid"]),
    ("pid", "container:a", ["privilege other_containers"]), ("pids-limit", "-1", ["ceiling pids unlimited"]),
    ("pids-limit", "0", ["ceiling pids unlimited"]), ("pids-limit", "77", ["ceiling pids 77"]),
    ("privileged", "true", ["privilege container"]), ("privileged", "false", []),
    ("runtime", "x", ["privilege runtime"]),
    ("security-opt", "apparmor=unconfined", ["privilege apparmor"]),
    ("security-opt", "apparmor:unconfined", ["privilege apparmor"]), ("security-opt", "apparmor=docker-default", []),
    ("security-opt", "label=disable", ["privilege label"]), ("security-opt", "label:type:spc_t", ["privilege label"]),
    ("security-opt", "no-new-privileges", []), ("security-opt", "no-new-privileges=true", []),
    ("security-opt", "no-new-privileges=false", ["privilege new_privileges"]),
    ("security-opt", "no-new-privileges:false", ["privilege new_privileges"]),
    ("security-opt", "seccomp=unconfined", ["seccomp unconfined"]),
    ("security-opt", "seccomp:unconfined", ["seccomp unconfined"]), ("security-opt", "seccomp=default", []),
    ("security-opt", "seccomp=/x.json", ["docker_parameter security-opt seccomp=/x.json"]),
    ("security-opt", "systempaths=unconfined", ["privilege systempaths"]),
    ("security-opt", "writable-cgroups=true", ["privilege security_options"]),
    ("shm-size", "1g", ["ceiling shm 1073741824"]),
    ("storage-opt", "size=1G", []), ("storage-opt", "dm.x=1", ["privilege storage"]),
    ("userns", "host", ["host_namespace user"]),
    ("uts", "host", ["host_namespace uts"]), ("v", "/a:/b", ["host_path /a RW"]),
    ("volume", "/a:/b:ro", ["host_path /a RO+"]),
    ("volume", "name:/b", ["privilege volumes"]), ("volume", "/b", []),
    ("volume", "/a:/b:ro,rshared", ["host_path /a RW", "privilege propagation"]),
    ("volume", "/a:/b:ro,slave", ["host_path /a RW"]), ("volume", "/a:/b:rslave,ro", ["host_path /a RW"]),
    ("volume", "/a:/b:ro,rprivate", ["host_path /a RO+"]), ("volume", "/a:/b:private,ro", ["host_path /a RO+"]),
    ("mount", "type=bind,src=/a,dst=/b,readonly,bind-propagation=slave", ["host_path /a RW"]),
    ("mount", "type=bind,src=/a,dst=/b,readonly,bind-propagation=RSLAVE,bind-nonrecursive", ["host_path /a RW"]),
    ("mount", "type=bind,src=/a,dst=/b,readonly,bind-propagation=rprivate", ["host_path /a RO+"]),
    (
      "mount", "type=bind,src=/a,dst=/b,readonly,bind-propagation=shared", ["host_path /a RW", "privilege propagation"]
    ),
    ("volume", "/a:/b:ro,z", ["host_path /a RO+", "privilege label"]), ("volume", "/a:/b:nocopy", ["host_path /a RW"]),
    ("volume-driver", "local", []), ("volume-driver", "nfs", ["privilege storage"]),
    ("volumes-from", "a:ro", ["privilege other_containers"]),
    ("mount", "type=bind,source=/a,target=/b", ["host_path /a RW"]),
    ("mount", "TYPE=BIND,SRC=/a,DST=/b,RO", ["host_path /a RO+"]),
    ("mount", "type=bind,src=/a,dst=/b,readonly,bind-nonrecursive", ["host_path /a RO+"]),
    (
      "mount", "type=bind,src=/a,dst=/b,readonly,bind-propagation=rprivate,bind-recursive=readonly", ["host_path /a RO"]
    ),
    ("mount", "type=bind,src=/a,dst=/b,readonly,bind-recursive=writable", ["host_path /a RW"]),
    ("mount", "type=bind,src=/a,dst=/b,bind-propagation=shared", ["host_path /a RW", "privilege propagation"]),
    ("mount", "type=volume,src=n,dst=/b", ["privilege volumes"]), ("mount", "dst=/b", []),
    ("mount", "type=volume,src=/etc,dst=/b", ["privilege volumes", "host_path /etc RW"]),
    (
      "mount", "type=volume,src=n,dst=/b,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/etc",
      ["privilege volumes", "privilege storage"]
    ),
    ("mount", "type=volume,src=n,dst=/b,volume-driver=nfs", ["privilege volumes", "privilege storage"]),
    ("mount", "\"type=bind\",\"src=/a,b\",dst=/b", ["host_path /a,b RW"]), ("mount", "type=tmpfs,dst=/b", []),
    ("mount", "type=tmpfs,dst=/dev/shm", ["ceiling shm unlimited"]),
    ("mount", "type=tmpfs,dst=/x/../dev/shm,tmpfs-size=1m", ["ceiling shm 1048576"]),
    ("mount", "type=tmpfs,dst=/dev/shm,tmpfs-size=0", ["ceiling shm unlimited"]), ("tmpfs", "/a:size=1m", []),
    ("tmpfs", "/dev/shm", ["ceiling shm unlimited"]),
    ("tmpfs", "/dev//shm/:size=2M,mode=1777", ["ceiling shm 2097152"]),
    ("tmpfs", "/dev/shm/x:size=4096", ["ceiling shm 4096"]), ("tmpfs", "/dev:size=1k", ["ceiling shm 1024"]),
    ("tmpfs", "/dev/shm:size=1m,size=50%", ["ceiling shm unlimited"]),
    ("tmpfs", "/dev/shm:size=0", ["ceiling shm unlimited"]),
    ("tmpfs", "/dev/shm:size=1m,nr_blocks=9999", ["ceiling shm unlimited"]), ("tmpfs", "/dev/shmx", []),
    ("ulimit", "nofile=9:20", ["ceiling open_files 20"]),
    ("ulimit", "nofile=9:-1", ["ceiling open_files unlimited"]), ("ulimit", "core=9", []),
    ("ulimit", "rtprio=9", ["privilege realtime"]),
  ]

  @Test func valuesOfParameters() throws {
    for (name, value, expected) in Self.parameters {
      let parameter = JSON(object: [("name", JSON(name)), ("value", JSON(value))])
      let found = try demands(#"{"docker": {"image": "x", "parameters": [\#(parameter.compact)]}}"#)
      let canonical = DockerRunOptions.canonicalName(name) ?? ""
      #expect(found == ["docker_parameter \(canonical)"] + expected, "\(name)=\(value)")
    }
  }

  /// Characters that make one with what follows (UAX 29, Prepend): the engine knows bytes, and so does who judges.
  @Test func aCharacterThatJoinsASeparatorHidesNothing() throws {
    for joiner in ["\u{600}", "\u{605}", "\u{6DD}", "\u{70F}", "\u{8E2}", "\u{110BD}"] {
      for (name, value, expected) in [
        ("volume", "/etc\(joiner):/host", ["host_path /etc\(joiner) RW"]),
        ("volume", "/srv:/h\(joiner):shared", ["host_path /srv RW", "privilege propagation"]),
        ("volume", "/srv:/h\(joiner):z", ["host_path /srv RW", "privilege label"]),
        ("volume", "/srv:/h\(joiner):ro", ["host_path /srv RO+"]),
        ("mount", "type=bind,src=/etc\(joiner),dst=/b", ["host_path /etc\(joiner) RW"]),
        ("mount", "type=bind,src=/etc,dst=/b\(joiner),readonly", ["host_path /etc RO+"]),
        ("device", "/dev/kmsg\(joiner):/dev/x", ["device /dev/kmsg\(joiner)"]),
      ] {
        let parameter = JSON(object: [("name", JSON(name)), ("value", JSON(value))])
        let found = try demands(#"{"docker": {"image": "x", "parameters": [\#(parameter.compact)]}}"#)
        #expect(found == ["docker_parameter \(name)"] + expected, "\(name)=\(value)")
      }
    }
  }

  // MARK: Completeness

  /// An option that the library learns must be thought about before a policy can give it.
  @Test func everyOptionOfDockerIsClassified() {
    for name in DockerRunOptions.names {
      #expect(DockerParameterReach.of(name) != nil, "what does \(name) reach of the host?")
      if DockerRunOptions.refusal(of: name) != nil { #expect(DockerParameterReach.of(name) == .never) }
      if case .judged(let members)? = DockerParameterReach.of(name) {
        #expect(members.allSatisfy { PolicyFields.policy[$0] != nil } && !members.isEmpty)
        // Judged by something: there is a value that asks for more than the name.
        let asks = Self.parameters.contains {
          DockerRunOptions.canonicalName($0.0) == name && !$0.2.isEmpty
        }
        #expect(asks, "no case for \(name)")
      }
    }
  }

  /// Fields of a create request that the judgement looks at, and those that stay in the container.
  @Test func everyFieldOfARequestIsLookedAtOrHarmless() {
    let judged: Set = [
      "binds", "mounts", "volumesFrom", "volumeDriver", "storageOptions", "maskedPaths", "readOnlyPaths", "networkMode",
      "links", "privileged", "addCapabilities", "securityOptions", "groups", "devices", "deviceCgroupRules",
      "deviceRequests", "userNamespaceMode", "ipcMode", "pidMode", "utsMode", "cgroupNamespaceMode", "cgroupParent",
      "oomScoreAdjustment", "runtime", "annotations", "shmSize", "tmpfs",
    ]
    let harmless: Set = [
      "resources", "readOnlyRoot", "portBindings", "publishAllPorts", "dns", "dnsSearch", "dnsOptions",
      "extraHosts", "dropCapabilities", "sysctls", "ulimits", "initProcess", "isolation", "logConfig", "restartPolicy",
      "autoRemove",
    ]
    expect(HostConfig(), judged, harmless)
    expect(
      ContainerResources(), ["pidsLimit", "oomKillDisable", "cpuRealtimePeriod", "cpuRealtimeRuntime"],
      [
        "memory", "memoryReservation", "memorySwap", "memorySwappiness", "nanoCPUs", "cpuShares", "cpuPeriod",
        "cpuQuota",
        "cpusetCPUs", "cpusetMemoryNodes", "blkioWeight", "blkioWeightDevices", "blkioReadBytes", "blkioWriteBytes",
        "blkioReadOperations", "blkioWriteOperations", "kernelMemory",
      ])
    expect(
      MountSpec(.bind, target: "/"),
      [
        "kind", "source", "target", "readOnly", "propagation", "nonRecursive", "readOnlyNonRecursive",
        "readOnlyForceRecursive", "volumeDriver", "volumeOptions", "tmpfsSize",
      ],
      ["consistency", "createSource", "noCopy", "volumeLabels", "subpath", "tmpfsMode"])
  }

  private func expect(_ value: Any, _ judged: Set<String>, _ harmless: Set<String>) {
    let names = Set(Mirror(reflecting: value).children.compactMap(\.label))
    for name in names {
      #expect(judged.contains(name) != harmless.contains(name), "what does \(name) reach of the host?")
    }
    #expect(judged.union(harmless) == names)
  }
}
