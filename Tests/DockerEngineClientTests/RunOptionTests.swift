import StrictJSON
import Testing

@testable import DockerEngineClient

/// The request that options make, on an engine of today.
private func request(
  _ parameters: [(String, String)], base: ContainerCreateRequest = ContainerCreateRequest(image: "i"),
  readFile: DockerRunOptions.FileReader? = nil
) throws -> ContainerCreateRequest {
  var request = base
  try DockerRunOptions.apply(
    parameters: parameters.map { (name: $0.0, value: $0.1) }, to: &request, readFile: readFile)
  return request
}

private func json(_ parameters: [(String, String)]) throws -> JSON {
  try request(parameters).json(for: APIVersion.newest)
}

private func problem(
  _ parameters: [(String, String)], sourceLocation: SourceLocation = #_sourceLocation
) -> DockerRunOptionError? {
  #expect(throws: DockerRunOptionError.self, sourceLocation: sourceLocation) { try request(parameters) }
}

@Suite struct RunOptionTests {
  /// Name, value, and the HostConfig that comes of it.
  static let host: [(String, String, String)] = [
    ("volume", "/a:/b", #"{"Binds":["/a:/b"]}"#),
    ("v", "/a:/b:ro,z,rslave", #"{"Binds":["/a:/b:ro,z,rslave"]}"#),
    ("volume", "data:/b:nocopy", #"{"Binds":["data:/b:nocopy"]}"#),
    ("volumes-from", "other:ro", #"{"VolumesFrom":["other:ro"]}"#),
    ("volume-driver", "nfs", #"{"VolumeDriver":"nfs"}"#),
    ("tmpfs", "/t", #"{"Tmpfs":{"/t":""}}"#),
    ("tmpfs", "/t:rw,size=1m", #"{"Tmpfs":{"/t":"rw,size=1m"}}"#),
    (
      "mount", "type=bind,source=/a,target=/b,readonly",
      #"{"Mounts":[{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true}]}"#
    ),
    (
      "mount", "Type=bind,src=/a,dst=/b,ro=0,bind-propagation=rprivate,bind-recursive=disabled",
      #"{"Mounts":[{"Type":"bind","Source":"/a","Target":"/b","BindOptions":{"Propagation":"rprivate","NonRecursive":true}}]}"#
    ),
    (
      "mount",
      #"source=v,destination=/b,volume-nocopy,volume-driver=local,"volume-opt=o=size=1,uid=2",volume-label=a=b"#,
      #"{"Mounts":[{"Type":"volume","Source":"v","Target":"/b","VolumeOptions":{"NoCopy":true,"Labels":{"a":"b"},"DriverConfig":{"Name":"local","Options":{"o":"size=1,uid=2"}}}}]}"#
    ),
    (
      "mount", "type=tmpfs,target=/t,tmpfs-size=64m,tmpfs-mode=1777",
      #"{"Mounts":[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":67108864,"Mode":1023}}]}"#
    ),
    ("read-only", "", #"{"ReadonlyRootfs":true}"#),
    ("read-only", "false", "{}"),
    ("shm-size", "1.5g", #"{"ShmSize":1610612736}"#),
    ("storage-opt", "size=10G", #"{"StorageOpt":{"size":"10G"}}"#),
    ("network", "host", #"{"NetworkMode":"host"}"#),
    ("net", "container:x", #"{"NetworkMode":"container:x"}"#),
    ("add-host", "db:10.0.0.1", #"{"ExtraHosts":["db:10.0.0.1"]}"#),
    ("add-host", "db=[::1]", #"{"ExtraHosts":["db:::1"]}"#),
    ("add-host", "h:host-gateway", #"{"ExtraHosts":["h:host-gateway"]}"#),
    ("dns", "8.8.8.8", #"{"Dns":["8.8.8.8"]}"#),
    ("dns", "fe80::1", #"{"Dns":["fe80::1"]}"#),
    ("dns-opt", "ndots:2", #"{"DnsOptions":["ndots:2"]}"#),
    ("dns-search", "example.com.", #"{"DnsSearch":["example.com"]}"#),
    ("dns-search", ".", #"{"DnsSearch":["."]}"#),
    ("link", "db:alias", #"{"Links":["db:alias"]}"#),
    ("publish-all", "true", #"{"PublishAllPorts":true}"#),
    ("memory", "512m", #"{"Memory":536870912}"#),
    ("m", "1073741824", #"{"Memory":1073741824}"#),
    ("memory-swap", "-1", #"{"MemorySwap":-1}"#),
    ("memory-swap", "1 GiB", #"{"MemorySwap":1073741824}"#),
    ("memory-reservation", "100kb", #"{"MemoryReservation":102400}"#),
    ("memory-swappiness", "0", #"{"MemorySwappiness":0}"#),
    ("cpus", "1.5", #"{"NanoCpus":1500000000}"#),
    ("cpus", ".000000001", #"{"NanoCpus":1}"#),
    ("c", "512", #"{"CpuShares":512}"#),
    ("cpu-quota", "-1", #"{"CpuQuota":-1}"#),
    ("cpu-period", "50000", #"{"CpuPeriod":50000}"#),
    ("cpu-rt-runtime", "1", #"{"CpuRealtimeRuntime":1}"#),
    ("cpuset-cpus", "0-3,7", #"{"CpusetCpus":"0-3,7"}"#),
    ("cpuset-mems", "0", #"{"CpusetMems":"0"}"#),
    ("blkio-weight", "500", #"{"BlkioWeight":500}"#),
    ("blkio-weight-device", "/dev/sda:100", #"{"BlkioWeightDevice":[{"Path":"/dev/sda","Weight":100}]}"#),
    ("device-read-bps", "/dev/sda:1mb", #"{"BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":1048576}]}"#),
    ("device-write-iops", "/dev/sda:9", #"{"BlkioDeviceWriteIOps":[{"Path":"/dev/sda","Rate":9}]}"#),
    ("oom-kill-disable", "1", #"{"OomKillDisable":true}"#),
    ("oom-score-adj", "-500", #"{"OomScoreAdj":-500}"#),
    ("pids-limit", "-1", #"{"PidsLimit":-1}"#),
    ("ulimit", "nofile=1024", #"{"Ulimits":[{"Name":"nofile","Soft":1024,"Hard":1024}]}"#),
    ("ulimit", "core=0:-1", #"{"Ulimits":[{"Name":"core","Soft":0,"Hard":-1}]}"#),
    ("cap-add", "net_admin", #"{"CapAdd":["CAP_NET_ADMIN"]}"#),
    ("cap-add", "CAP_SYS_TIME", #"{"CapAdd":["CAP_SYS_TIME"]}"#),
    ("cap-drop", "ALL", #"{"CapDrop":["ALL"]}"#),
    ("cgroup-parent", "/x", #"{"CgroupParent":"/x"}"#),
    ("cgroupns", "private", #"{"CgroupnsMode":"private"}"#),
    (
      "device", "/dev/fuse",
      #"{"Devices":[{"PathOnHost":"/dev/fuse","PathInContainer":"/dev/fuse","CgroupPermissions":"rwm"}]}"#
    ),
    (
      "device", "/dev/a:r", #"{"Devices":[{"PathOnHost":"/dev/a","PathInContainer":"/dev/a","CgroupPermissions":"r"}]}"#
    ),
    (
      "device", "/dev/a:/dev/b:mr",
      #"{"Devices":[{"PathOnHost":"/dev/a","PathInContainer":"/dev/b","CgroupPermissions":"mr"}]}"#
    ),
    (
      "device", "vendor.com/class=gpu0",
      #"{"DeviceRequests":[{"Driver":"cdi","Count":0,"DeviceIDs":["vendor.com/class=gpu0"]}]}"#
    ),
    ("device-cgroup-rule", "c 42:* rmw", #"{"DeviceCgroupRules":["c 42:* rmw"]}"#),
    ("gpus", "all", #"{"DeviceRequests":[{"Count":-1,"Capabilities":[["gpu"]]}]}"#),
    ("gpus", "2", #"{"DeviceRequests":[{"Count":2,"Capabilities":[["gpu"]]}]}"#),
    (
      "gpus", #"driver=nvidia,"device=0,1","capabilities=utility,compute""#,
      #"{"DeviceRequests":[{"Driver":"nvidia","Count":0,"DeviceIDs":["0","1"],"Capabilities":[["utility","compute","gpu"]]}]}"#
    ),
    ("group-add", "audio", #"{"GroupAdd":["audio"]}"#),
    ("init", "", #"{"Init":true}"#),
    ("init", "false", #"{"Init":false}"#),
    ("ipc", "host", #"{"IpcMode":"host"}"#),
    ("ipc", "container:x", #"{"IpcMode":"container:x"}"#),
    ("pid", "host", #"{"PidMode":"host"}"#),
    ("uts", "host", #"{"UTSMode":"host"}"#),
    ("userns", "host", #"{"UsernsMode":"host"}"#),
    ("privileged", "true", #"{"Privileged":true}"#),
    ("runtime", "runsc", #"{"Runtime":"runsc"}"#),
    ("security-opt", "no-new-privileges", #"{"SecurityOpt":["no-new-privileges"]}"#),
    ("security-opt", "label:disable", #"{"SecurityOpt":["label:disable"]}"#),
    ("security-opt", "seccomp=unconfined", #"{"SecurityOpt":["seccomp=unconfined"]}"#),
    ("security-opt", "systempaths=unconfined", #"{"MaskedPaths":[],"ReadonlyPaths":[]}"#),
    ("sysctl", "net.core.somaxconn=1024", #"{"Sysctls":{"net.core.somaxconn":"1024"}}"#),
    ("log-driver", "syslog", #"{"LogConfig":{"Type":"syslog","Config":{}}}"#),
    ("annotation", "a=b", #"{"Annotations":{"a":"b"}}"#),
    ("isolation", "default", #"{"Isolation":"default"}"#),
    ("kernel-memory", "1g", "{}"),
    ("quiet", "", "{}"),
  ]

  @Test(arguments: host) func anOptionBecomesItsFieldOfTheHost(name: String, value: String, expected: String) throws {
    #expect(try json([(name, value)])["HostConfig"]?.compact == expected)
  }

  /// Name, value, and the member of the container's own configuration that comes of it.
  static let container: [(String, String, String, String)] = [
    ("env", "A=b=c", "Env", #"["A=b=c"]"#), ("e", "EMPTY=", "Env", #"["EMPTY="]"#),
    ("env", "GONE", "Env", #"["GONE"]"#), ("label", "a=b=c", "Labels", #"{"a":"b=c"}"#),
    ("l", "bare", "Labels", #"{"bare":""}"#), ("hostname", "web", "Hostname", #""web""#),
    ("h", "web", "Hostname", #""web""#), ("domainname", "d", "Domainname", #""d""#),
    ("entrypoint", "/bin/x", "Entrypoint", #"["/bin/x"]"#), ("entrypoint", "", "Entrypoint", #"[""]"#),
    ("user", "1:2", "User", #""1:2""#), ("workdir", "/w", "WorkingDir", #""/w""#), ("tty", "", "Tty", "true"),
    ("stop-signal", "SIGINT", "StopSignal", #""SIGINT""#), ("stop-timeout", "0", "StopTimeout", "0"),
    ("expose", "80", "ExposedPorts", #"{"80/tcp":{}}"#),
    ("expose", "80-81/UDP", "ExposedPorts", #"{"80/udp":{},"81/udp":{}}"#),
    ("volume", "/anonymous", "Volumes", #"{"/anonymous":{}}"#),
    ("no-healthcheck", "", "Healthcheck", #"{"Test":["NONE"]}"#),
    ("health-cmd", "curl -f x", "Healthcheck", #"{"Test":["CMD-SHELL","curl -f x"]}"#),
    ("health-interval", "1m30.5s", "Healthcheck", #"{"Interval":90500000000}"#),
    ("health-timeout", "500ms", "Healthcheck", #"{"Timeout":500000000}"#),
    ("health-start-period", "1h", "Healthcheck", #"{"StartPeriod":3600000000000}"#),
    ("health-start-interval", "2us", "Healthcheck", #"{"StartInterval":2000}"#),
    ("health-retries", "3", "Healthcheck", #"{"Retries":3}"#),
  ]

  @Test(arguments: container) func anOptionBecomesItsFieldOfTheContainer(
    name: String, value: String, member: String, expected: String
  ) throws {
    let made = try json([(name, value)])
    #expect(made[member]?.compact == expected)
    #expect(made["HostConfig"]?.compact == "{}")
  }

  static let ports: [(String, String)] = [
    ("8080:80", #"{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}"#),
    ("80", #"{"80/tcp":[{"HostIp":"","HostPort":""}]}"#),
    ("127.0.0.1::80/udp", #"{"80/udp":[{"HostIp":"127.0.0.1","HostPort":""}]}"#),
    ("[::1]:8080:80/sctp", #"{"80/sctp":[{"HostIp":"::1","HostPort":"8080"}]}"#),
    ("8000-8001:80-81", #"{"80/tcp":[{"HostIp":"","HostPort":"8000"}],"81/tcp":[{"HostIp":"","HostPort":"8001"}]}"#),
    ("8000-8010:80", #"{"80/tcp":[{"HostIp":"","HostPort":"8000-8010"}]}"#),
    ("published=8080,target=80,protocol=udp", #"{"80/udp":[{"HostIp":"","HostPort":"8080"}]}"#),
  ]

  @Test(arguments: ports) func portsArePublishedAndExposed(value: String, expected: String) throws {
    let made = try json([("publish", value)])
    #expect(made["HostConfig"]?["PortBindings"]?.compact == expected)
    #expect(
      made["ExposedPorts"]?.members?.map(\.key) == made["HostConfig"]?["PortBindings"]?.members?.map(\.key))
  }

  @Test func repeatableOptionsAddUpAndOthersCountOnce() throws {
    var made = ContainerCreateRequest(image: "i")
    made.hostConfig.binds = ["/given:/given"].compactMap(Bind.init)
    made.spec.environment = ["BASE=1"]
    let applied = try DockerRunOptions.apply(
      parameters: [
        ("v", "/a:/a"), ("volume", "/b:/b"), ("env", "A=1"), ("e", "A=2"), ("memory", "1g"), ("m", "2g"),
        ("publish", "1:80"), ("p", "2:80"), ("ulimit", "core=0"), ("ulimit", "core=1"), ("pull", "always"),
      ], to: &made)
    #expect(made.hostConfig.binds.map(\.text) == ["/given:/given", "/a:/a", "/b:/b"])
    #expect(made.spec.environment == ["BASE=1", "A=2"], "a process sees the first of two with one name")
    #expect(made.hostConfig.resources.memory == 2 << 30)
    #expect(made.hostConfig.portBindings["80/tcp"]?.map(\.hostPort) == ["1", "2"])
    #expect(made.spec.exposedPorts == ["80/tcp"])
    #expect(made.hostConfig.ulimits == [Ulimit(name: "core", soft: 1, hard: 1)])
    #expect(applied.pull == .always)
    #expect(applied.warnings == ["memory is given more than once; the last value counts"])
  }

  @Test func networksTakeTheirOwnSettingsAndTheFirstTheCommonOnes() throws {
    let made = try json([
      ("network", "name=front,alias=a,driver-opt=k=v"), ("network", "back"), ("ip", "10.0.0.2"), ("link", "db:d"),
      ("mac-address", "02-00-00-00-00-01"),
    ])
    #expect(made["HostConfig"]?["NetworkMode"]?.string == "front")
    #expect(
      made["NetworkingConfig"]?["EndpointsConfig"]?.compact
        == #"{"back":{},"front":{"Aliases":["a"],"Links":["db:d"],"MacAddress":"02:00:00:00:00:01","#
        + #""DriverOpts":{"k":"v"},"IPAMConfig":{"IPv4Address":"10.0.0.2"}}}"#)
    #expect(try json([("network", "front")])["NetworkingConfig"] == nil)
    let alone = try json([("network-alias", "x"), ("network", "net")])
    #expect(alone["NetworkingConfig"]?["EndpointsConfig"]?.compact == #"{"net":{"Aliases":["x"]}}"#)
  }

  @Test func filesAreReadOnlyWhereThatIsAllowed() throws {
    for option in [("env-file", "/f"), ("label-file", "/f"), ("security-opt", "seccomp=/f")] {
      #expect(problem([option])?.kind != .unknown, "\(option)")
      #expect(problem([option])?.detail.contains("not allowed here") == true)
    }
    let files: DockerRunOptions.FileReader = { (path) throws(DockerEngineError) in
      switch path {
      case "/env": Array("\u{feff}# comment\n\n  A=from file\r\nBARE\nB=2 \n".utf8)
      case "/labels": Array("a=file\nb=file\n".utf8)
      case "/profile": Array("{ \"defaultAction\": \"SCMP_ACT_ALLOW\" }\n".utf8)
      default: throw DockerEngineError.invalid("no such file")
      }
    }
    let made = try request(
      [
        ("env", "A=given"), ("env-file", "/env"), ("label", "a=given"), ("label-file", "/labels"),
        ("security-opt", "seccomp=/profile"),
      ], readFile: files)
    #expect(made.spec.environment == ["B=2 ", "A=given"])
    #expect(made.spec.labels == ["a": "given", "b": "file"])
    #expect(made.hostConfig.securityOptions == [#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#])
    #expect(throws: DockerRunOptionError.self) { try request([("env-file", "relative")], readFile: files) }
    #expect(throws: DockerRunOptionError.self) { try request([("env-file", "/none")], readFile: files) }
  }

  static let bad: [(String, String)] = [
    ("volume", ""), ("volume", "a:b:c:d"), ("volume", "/a::ro"), ("volume", "/a:b"), ("volume", "./a:/b"),
    ("volume", "~/a:/b"), ("volume", "/a:/b:rx"), ("volume", "/a:/b:ro,rw"), ("volume", "na me:/b"), ("volume", "x"),
    ("mount", ""), ("mount", "type=bind,source=/a"), ("mount", "type=bnd,source=/a,target=/b"),
    ("mount", "type=bind,source=a,target=/b"), ("mount", "type=bind,source=/a,target=b"),
    ("mount", "type=volume,source=v,target=/b,bind-propagation=shared"), ("mount", "type=bind,source=/a,target=/b,x=y"),
    ("mount", "type=bind,source=/a,target=/b,readonly=maybe"), ("mount", "type=bind,source=,target=/b"),
    ("mount", "type=bind,source=/a,target=/b,bind-recursive=readonly"), ("mount", "type=bind,target"),
    ("mount", #"type=bind,"source=/a"#), ("mount", "type=tmpfs,target=/t,tmpfs-mode=9"), ("tmpfs", "t"),
    ("tmpfs", "/t:remount,rw"), ("tmpfs", "/t:rw,remount"), ("tmpfs", "/t:bind"), ("tmpfs", "/t:rbind"),
    ("tmpfs", "/t:shared"), ("tmpfs", "/t:rslave"), ("tmpfs", "/t:move"), ("tmpfs", "/t:REMOUNT"), ("tmpfs", "/t:rw,"),
    ("tmpfs", "/t: remount"), ("tmpfs", "/t:remount=1"), ("tmpfs", "/t:tmpcopyup"), ("tmpfs", "/t:size"),
    ("tmpfs", "/t:size="), ("tmpfs", "/t:mode=9"), ("tmpfs", "/t:uid=root"), ("tmpfs", "/t:size=1m\u{301},ro"),
    ("tmpfs", "/t:ro=1"), ("tmpfs", "/t:lowerdir=/etc"), ("tmpfs", "/t:size=1m:remount"), ("tmpfs", "/t:huge=always"),
    ("publish", ""), ("publish", "a:b"), ("publish", "80:80:80:80"), ("publish", "8000-8002:80-81"),
    ("publish", "70000"),
    ("publish", "80/icmp"), ("publish", "300.1.1.1:80:80"), ("publish", "-1"), ("publish", "90-80"), ("publish", "80:"),
    ("publish", "published=80"), ("publish", "target=80,publshed=80"), ("expose", "x"),
    ("env", ""), ("env", "=x"), ("label", ""), ("label", "=x"), ("label", "a b=c"),
    ("memory", ""), ("memory", "x"), ("memory", "-1"), ("memory", "1x"), ("memory", "1kbb"), ("memory", "99999999999g"),
    ("memory", "1e3"), ("memory", "0x10"), ("memory", "nan"), ("memory", "inf"), ("cpus", "-1"),
    ("cpus", "1.0000000001"),
    ("cpus", "."), ("cpus", "1.2.3"), ("cpus", ""), ("cpu-shares", "1.5"), ("cpu-shares", "99999999999999999999"),
    ("pids-limit", "-2"), ("oom-score-adj", "1001"), ("memory-swappiness", "101"), ("blkio-weight", "5"),
    ("blkio-weight-device", "sda:100"), ("device-read-bps", "/dev/sda"), ("device-read-iops", "/dev/sda:1m"),
    ("ulimit", "nofile"), ("ulimit", "nofiles=1"), ("ulimit", "nofile=2:1"), ("ulimit", "nofile=-1:5"),
    ("ulimit", "nofile=1:2:3"), ("ulimit", "nofile=x"), ("device", "fuse"), ("device", "/dev/a:/dev/b:x"),
    ("device", "/dev/a:/dev/b:rr"), ("device", "/dev/a:b:rw"), ("device", "/a:/b:r:w"),
    ("device-cgroup-rule", "c 1:x r"),
    ("device-cgroup-rule", "x 1:1 r"), ("gpus", ""), ("gpus", "some"), ("gpus", "count=1,count=2"), ("gpus", "x=1"),
    ("network", ""), ("network", "alias=x"), ("network", "name=n,x=y"), ("network", "name=n,ip=x"), ("network", "a b"),
    ("ip", "10.0.0"), ("ip", "::1"), ("ip6", "10.0.0.1"), ("mac-address", "0:1"), ("add-host", "db"),
    ("add-host", "db:x"),
    ("add-host", ":1.2.3.4"), ("dns", "localhost"), ("dns", "1.2.3.04"), ("dns", "1::2::3"), ("dns-search", "-x"),
    ("security-opt", "seccomp"), ("security-opt", "apparmor="), ("sysctl", "kernel.panic=1"), ("sysctl", "net.x"),
    ("pid", "private"), ("uts", "x"), ("userns", "x"), ("ipc", "container:"), ("cgroupns", "x"), ("init", "maybe"),
    ("health-interval", "30"), ("health-interval", "-1s"), ("health-interval", "1y"), ("health-retries", "-1"),
    ("pull", "sometimes"), ("log-opt", "=x"), ("storage-opt", "x"), ("link", "a:b:c"), ("stop-timeout", "x"),
    ("cap-add", "net admin"), ("cap-add", ""), ("hostname", "a\u{0}b"), ("user", "\u{0}"),
  ]

  @Test(arguments: bad) func aValueThatIsWrongIsRefusedWithItsName(name: String, value: String) {
    let error = problem([("env", "A=b"), (name, value)])
    #expect(error?.kind == .invalid && error?.index == 1 && error?.name == name, "\(String(describing: error))")
    #expect(error?.description.utf8.starts(with: "docker parameter \"\(name)\": ".utf8) == true)
  }

  @Test(arguments: [
    "rm", "detach", "d", "name", "restart", "cidfile", "sig-proxy", "interactive", "i", "attach", "a", "detach-keys",
    "use-api-socket", "cpu-percent",
  ])
  func optionsThatBreakTheContractAreRefusedWithTheReason(name: String) {
    let error = problem([(name, "true")])
    #expect(error?.kind == .refused && error?.name == DockerRunOptions.canonicalName(name))
    #expect(error?.detail.isEmpty == false && error?.detail == DockerRunOptions.refusal(of: name))
  }

  @Test(arguments: [
    ("volum", "volume"), ("--volume", "volume"), ("Memory", "memory"), ("cap_add", "cap-add"), ("memroy", "memory"),
    ("netwrok", "network"), ("dns-serach", "dns-search"), ("env-fil", "env-file"), ("ulimits", "ulimit"),
    ("security", "security-opt"),
  ])
  func anUnknownOptionNamesNearOnes(name: String, near: String) {
    let error = problem([(name, "x")])
    #expect(error?.kind == .unknown && error?.suggestions.contains(near) == true, "\(String(describing: error))")
  }

  @Test func aRequestIsUnchangedWhenAnOptionIsWrong() {
    var made = ContainerCreateRequest(image: "i")
    #expect(throws: DockerRunOptionError.self) {
      try DockerRunOptions.apply(parameters: [("memory", "1g"), ("volume", "x")], to: &made)
    }
    #expect(made == ContainerCreateRequest(image: "i"))
  }

  @Test(arguments: [
    "ro,noexec,nosuid,nodev,noatime", "rw,exec,suid,dev,relatime,strictatime", "size=50%,mode=1777,uid=0,gid=4",
    "size=64M,nr_inodes=4k,nr_blocks=100", "mpol=bind=static:0-3",
  ])
  func aTmpfsHasOptionsOfItsOwn(options: String) throws {
    #expect(try request([("tmpfs", "/t:" + options)]).hostConfig.tmpfs == ["/t": options])
  }

  @Test func anOptionOfATmpfsThatIsNotKnownNamesThoseThatAre() {
    let detail = problem([("tmpfs", "/data/:remount,rw")])?.detail ?? ""
    for known in ["\"remount\"", "noexec", "size="] { #expect(detail.contains(known), "\(detail)") }
  }

  /// The engine cleans the targets of some mounts and leaves others to what mounts them.
  @Test(arguments: [("/a/", "/a"), ("//a///b/./", "/a/b"), ("/x/../a", "/a"), ("/../a/..//b/.", "/b"), ("/", "/")])
  func targetsGoToTheEngineCleaned(written: String, cleaned: String) throws {
    #expect(try request([("tmpfs", written + ":ro")]).hostConfig.tmpfs == [cleaned: "ro"])
    #expect(try request([("volume", written)]).spec.volumes == [cleaned])
    let bind = try request([("volume", "/h/../s/:\(written):ro")]).hostConfig.binds
    #expect(bind.map(\.text) == ["/h/../s/:\(cleaned):ro"])
    #expect(try request([("volume", "name:\(written)")]).hostConfig.binds.map(\.target) == [cleaned])
    for kind in ["bind,source=/s", "tmpfs", "volume"] {
      #expect(try request([("mount", "type=\(kind),target=\(written)")]).hostConfig.mounts.map(\.target) == [cleaned])
    }
    #expect(try request([("device", "/dev/a:\(written):r")]).hostConfig.devices.map(\.containerPath) == [cleaned])
    #expect(try request([("device", written)]).hostConfig.devices.map(\.containerPath) == [cleaned])
  }

  @Test func onePlaceHasOneMount() throws {
    let mounts = [
      ("tmpfs", "/a/:ro"), ("tmpfs", "/a"), ("volume", "/x/../a"), ("volume", "/s:/./a"), ("volume", "n:/a//"),
      ("mount", "type=tmpfs,target=//a"), ("device", "/dev/null:/a/."),
    ]
    for first in mounts {
      for second in mounts {
        let error = problem([first, second])
        #expect(error?.index == 1 && error?.kind == .invalid, "\(first) \(second)")
      }
      _ = try request([first, ("tmpfs", "/a/b"), ("volume", "/b")])
    }
  }

  @Test func whatContradictsItselfIsRefused() {
    #expect(problem([("no-healthcheck", ""), ("health-cmd", "x")])?.name == "no-healthcheck")
    #expect(problem([("log-driver", "none"), ("log-opt", "a=b")])?.name == "log-opt")
    #expect(problem([("network", "host"), ("network", "net")]) != nil)
    #expect(problem([("network", "net"), ("network", "net")]) != nil)
    #expect(problem([("network", "host"), ("network-alias", "a")])?.name == "network-alias")
    #expect(problem([("network", "name=n,ip=10.0.0.1"), ("ip", "10.0.0.2")])?.name == "ip")
  }

  @Test func everyDocumentedOptionIsKnown() {
    // The rows of Docker's own reference of `docker run`.
    let documented = """
      add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile \
      cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems \
      detach detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops \
      disable-content-trust dns dns-option dns-search domainname entrypoint env env-file expose gpus group-add \
      health-cmd health-interval health-retries health-start-interval health-start-period health-timeout help hostname \
      init interactive io-maxbandwidth io-maxiops ip ip6 ipc isolation kernel-memory label label-file link \
      link-local-ip log-driver log-opt mac-address memory memory-reservation memory-swap memory-swappiness mount name \
      network network-alias no-healthcheck oom-kill-disable oom-score-adj pid pids-limit platform privileged publish \
      publish-all pull quiet read-only restart rm runtime security-opt shm-size sig-proxy stop-signal stop-timeout \
      storage-opt sysctl tmpfs tty ulimit use-api-socket user userns uts volume volume-driver volumes-from workdir
      """
    #expect(DockerRunOptions.names == documented.split(separator: " ").map(String.init))
    for short in [
      "a", "c", "d", "e", "h", "i", "l", "m", "p", "P", "q", "t", "u", "v", "w", "net", "net-alias", "dns-opt",
    ] {
      #expect(DockerRunOptions.canonicalName(short) != nil)
    }
  }

  @Test func randomValuesNeverTrap() {
    var random = SeededGenerator(seed: 3)
    let letters = Array("/:=,-.[]\"0123456789abcgkmnoprtuwz \u{e9}\u{301}")
    for round in 0..<30_000 {
      let name = DockerRunOptions.names[round % DockerRunOptions.names.count]
      let value = String(
        (0..<Int.random(in: 0...24, using: &random)).map { _ in letters.randomElement(using: &random) ?? "x" })
      var made = ContainerCreateRequest(image: "i")
      if (try? DockerRunOptions.apply(parameters: [(name, value)], to: &made)) != nil {
        _ = made.json(for: APIVersion.newest).compact
      }
    }
  }

  @Test(arguments: [
    ("::", true), ("::1", true), ("1::", true), ("1:2:3:4:5:6:7:8", true), ("::ffff:1.2.3.4", true),
    ("1:2:3:4:5:6:1.2.3.4", true),
    ("1::3:4:5:6:7:8", true), (":", false), (":::", false), ("1:2:3:4:5:6:7", false), ("1:2:3:4:5:6:7:8:9", false),
    ("1::2::3", false), ("12345::", false), ("g::", false), ("1:2:3:4:5:6:7:1.2.3.4", false), ("::1%eth0", false),
    (":1:2:3:4:5:6:7", false), ("1:2:3:4:5:6:7:", false), ("1.2.3.4::", false), ("::1:2:3:4:5:6:7:8", false),
  ])
  func addressesAreThoseOfTheStandard(text: String, valid: Bool) {
    #expect(IPAddressText.isIPv6(text.utf8) == valid)
  }
}
