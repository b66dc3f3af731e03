/// How each option of `docker run` can reach the host, beyond being an option at all: which other members of a policy
/// judge what it says. A policy that names an option gives its name; what it says is asked for on its own.
package enum DockerParameterReach: Equatable {
  /// It stays in the container, or takes something away; its name is all there is to allow.
  case contained
  /// No task can have it, whatever a policy says.
  case never
  /// Members of the policy that have a say in its value.
  case judged([String])

  /// `nil` for a name that nobody has thought about: no task gets it while there is a policy.
  package static func of(_ name: String) -> DockerParameterReach? { table[name] }

  private static let table: [String: DockerParameterReach] = {
    var table: [String: DockerParameterReach] = [:]
    for name in containedNames { table[name] = .contained }
    for name in neverNames { table[name] = .never }
    for (name, members) in judgedNames { table[name] = .judged(members) }
    return table
  }()

  private static let judgedNames: [String: [String]] = [
    "annotation": ["privileged"],
    "cap-add": ["capabilities"],
    "cgroup-parent": ["privileged"],
    "cgroupns": ["host_namespaces"],
    "cpu-rt-period": ["privileged"],
    "cpu-rt-runtime": ["privileged"],
    "device": ["devices"],
    "device-cgroup-rule": ["devices"],
    "gpus": ["devices"],
    "group-add": ["privileged"],
    "ipc": ["host_namespaces", "privileged"],
    "link": ["privileged"],
    "mount": ["ceilings", "host_paths", "privileged"],
    "network": ["networks", "privileged"],
    "oom-kill-disable": ["privileged"],
    "oom-score-adj": ["privileged"],
    "pid": ["host_namespaces", "privileged"],
    "pids-limit": ["ceilings"],
    "privileged": ["privileged"],
    "runtime": ["privileged"],
    "security-opt": ["privileged", "seccomp"],
    "shm-size": ["ceilings"],
    "storage-opt": ["privileged"],
    "tmpfs": ["ceilings"],
    "ulimit": ["ceilings", "privileged"],
    "userns": ["host_namespaces"],
    "uts": ["host_namespaces"],
    "volume": ["host_paths", "privileged"],
    "volume-driver": ["privileged"],
    "volumes-from": ["privileged"],
  ]

  private static let containedNames = [
    // Resources of the task, within its own cgroup.
    "blkio-weight", "blkio-weight-device", "cpu-period", "cpu-quota", "cpu-shares", "cpus", "cpuset-cpus",
    "cpuset-mems", "device-read-bps", "device-read-iops", "device-write-bps", "device-write-iops", "kernel-memory",
    "memory", "memory-reservation", "memory-swap", "memory-swappiness",
    // Less than a container has without it.
    "cap-drop", "read-only",
    // What it is called and how it finds others; publishing is the name's to allow, as for port_mappings.
    "add-host", "dns", "dns-option", "dns-search", "domainname", "expose", "hostname", "ip", "ip6", "link-local-ip",
    "mac-address", "network-alias", "publish", "publish-all",
    // Parameters of namespaces; the engine refuses them where the namespace is the host's.
    "sysctl",
    // What runs, and how it is called; the role is the task's.
    "disable-content-trust", "entrypoint", "env", "isolation", "label", "platform", "pull", "quiet", "user", "workdir",
    // Without effect on a task.
    "health-cmd", "health-interval", "health-retries", "health-start-interval", "health-start-period",
    "health-timeout", "log-driver", "log-opt", "no-healthcheck", "stop-signal", "stop-timeout",
  ]

  private static let neverNames = [
    "attach", "cidfile", "cpu-count", "cpu-percent", "detach", "detach-keys", "env-file", "help", "init", "interactive",
    "io-maxbandwidth", "io-maxiops", "label-file", "name", "restart", "rm", "sig-proxy", "tty", "use-api-socket",
  ]
}
