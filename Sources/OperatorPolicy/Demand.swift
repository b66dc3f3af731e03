import LinuxKernel
import TaskModel

/// A namespace of the host that a container can share instead of having its own.
package enum HostNamespace: String, CaseIterable, Sendable {
  case pid, ipc, uts, cgroup, user
}

/// A wall of a container that a document can ask to take down, where no other member of the policy speaks of it.
package enum Privilege: String, CaseIterable, Sendable {
  /// `privileged`: every capability, every device, no filter.
  case container
  case apparmor
  /// SELinux labels.
  case label
  /// `/proc` and `/sys` without masks.
  case systempaths
  /// Programs with set-uid bits gain what the file says.
  case newPrivileges = "new_privileges"
  /// A security option of the engine that is not known here.
  case securityOptions = "security_options"
  /// A cgroup outside the executor's and the engine's.
  case cgroupParent = "cgroup_parent"
  /// Another runtime, or annotations that one obeys.
  case runtime
  /// Volumes of the engine by name: anybody's, and what they are a mount of is the engine's to know.
  case volumes
  /// Drivers of volumes and of storage, and their options: `local` mounts whatever its options name.
  case storage
  /// Namespaces, volumes and names of containers that are not the task's.
  case otherContainers = "other_containers"
  /// Mounts made inside appear on the host.
  case propagation
  /// Groups that the role has not on the host.
  case groups
  /// Real-time scheduling.
  case realtime
  /// Being spared when the host is out of memory.
  case oom
}

/// A number of which the policy can set the most.
package enum Ceiling: String, CaseIterable, Sendable {
  /// Processes and threads of a task.
  case pids
  /// Open files of each process.
  case openFiles = "open_files"
  /// Bytes of `/dev/shm`.
  case shm
  /// Bytes of logs, over all runs.
  case logBytes = "log_bytes"
  /// Runs of a process.
  case runs
  /// Processes of a document.
  case processes
  /// Seconds.
  case finalizationWait = "finalization_wait"

  var range: ClosedRange<Int64> {
    switch self {
    case .pids: 1...4_194_304
    case .openFiles: 64...(1 << 30)
    case .shm: 4096...(1 << 50)
    case .logBytes: (1 << 20)...(1 << 60)
    case .runs: 1...1_000_000
    case .processes: 1...1_000_000
    case .finalizationWait: 0...1_000_000_000
    }
  }

  var note: String {
    switch self {
    case .pids: "Processes and threads of a task."
    case .openFiles: "Open files of each process."
    case .shm: "Bytes of `/dev/shm`."
    case .logBytes: "Bytes of a task's logs, over all runs."
    case .runs: "Runs of a process."
    case .processes: "Processes of a document."
    case .finalizationWait: "Seconds for cleaning and finalizing together."
    }
  }
}

/// Something that a task asks for and that reaches its host, and which part of the document asks.
package struct Demand: Equatable {
  package enum Kind: Equatable {
    /// `uid` is unknown where the host has no such account. `groups` are the numbers of all of its groups.
    case role(name: String, uid: UInt32?, groups: [UInt32] = [])
    /// `leavesMounts`: read-only, and an engine leaves what is mounted below it on the host as it is there, or out.
    case hostPath(String, writable: Bool, leavesMounts: Bool = false)
    /// Without `CAP_`; `ALL` is every one.
    case capability(String)
    case namespace(HostNamespace)
    /// By its long name.
    case dockerParameter(String)
    /// A Docker parameter that no task can have, and why.
    case impossible(String, reason: String)
    case privilege(Privilege)
    /// A path, a rule of the device cgroup, a CDI name, `gpus`.
    case device(String)
    /// `unconfined`, or the path of a profile.
    case seccomp(String)
    case network(String)
    /// More than this is not asked for; `nil`: no limit at all.
    case amount(Ceiling, Int64?)
  }

  /// Where the document asks.
  package struct Origin: Equatable {
    package var start: DocumentPlace.Start
    package var steps: [DocumentPlace.Step]

    package init(_ start: DocumentPlace.Start, _ steps: DocumentPlace.Step...) {
      self.start = start
      self.steps = steps
    }
  }

  package let kind: Kind
  package let origin: Origin
  /// Whether an engine looks the path up again: by a text in which a colon separates.
  package var goesToEngine = false

  package init(_ kind: Kind, _ origin: Origin, goesToEngine: Bool = false) {
    self.kind = kind
    self.origin = origin
    self.goesToEngine = goesToEngine
  }
}

extension Demand.Kind {
  /// Its name, for programs.
  package var name: String {
    switch self {
    case .role: "role"
    case .hostPath: "host_path"
    case .capability: "capability"
    case .namespace: "host_namespace"
    case .dockerParameter, .impossible: "docker_parameter"
    case .privilege: "privilege"
    case .device: "device"
    case .seccomp: "seccomp"
    case .network: "network"
    case .amount: "ceiling"
    }
  }

  /// What is asked for.
  package var value: String {
    switch self {
    case .role(let name, _, _): name
    case .hostPath(let path, _, _): path
    case .capability(let name), .dockerParameter(let name), .device(let name), .seccomp(let name),
      .network(let name), .impossible(let name, _):
      name
    case .namespace(let namespace): namespace.rawValue
    case .privilege(let privilege): privilege.rawValue
    case .amount(let ceiling, let amount): "\(ceiling.rawValue) \(amount.map { String($0) } ?? "unlimited")"
    }
  }

  /// The member of the policy that speaks of it.
  package var member: String {
    switch self {
    case .role: "roles"
    case .hostPath: "host_paths"
    case .capability: "capabilities"
    case .namespace: "host_namespaces"
    case .dockerParameter, .impossible: "docker_parameters"
    case .privilege: "privileged"
    case .device: "devices"
    case .seccomp: "seccomp"
    case .network: "networks"
    case .amount(let ceiling, _): "ceilings.\(ceiling.rawValue)"
    }
  }

  /// For people.
  package var text: String {
    switch self {
    case .role(let name, let uid, _):
      "the role \(printable(name.utf8))" + (uid == 0 && name != "root" ? " (uid 0)" : "")
    case .hostPath(let path, let writable, _): "the host path \(printable(path.utf8)) (\(writable ? "RW" : "RO"))"
    case .capability(let name): "the capability \(printable(name.utf8))"
    case .namespace(let namespace): "the host's \(namespace.rawValue) namespace"
    case .dockerParameter(let name), .impossible(let name, _): "the Docker parameter \(printable(name.utf8))"
    case .privilege(let privilege): "the privilege \(privilege.rawValue)"
    case .device(let name): "the device \(printable(name.utf8))"
    case .seccomp(let profile):
      profile == "unconfined" ? "no seccomp filter" : "the seccomp profile \(printable(profile.utf8))"
    case .network(let name): "the network \(printable(name.utf8))"
    case .amount(let ceiling, let amount):
      "\(ceiling.rawValue) \(amount.map { String($0) } ?? "without limit")"
    }
  }
}
