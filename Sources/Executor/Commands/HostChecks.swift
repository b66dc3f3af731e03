import DiskUsage
import DockerEngineClient
import Glibc
import Images
import Isolators
import LinuxKernel
import MesosContainerizer
import OperatorPolicy
import Registry
import TaskModel
import TaskStore

/// What of a host the executor uses, looked at without changing anything.
///
/// What an isolator lacks is said by itself, in the words that refuse a launch.
struct HostChecks {
  let workDirectory: String
  let engineSocket: String
  let policy: String?

  /// The work directory, or what of its path is there: the rest is made later.
  private var existing: String {
    var names = Array(workDirectory.utf8).pathComponents[...]
    while true {
      let path = "/" + String(decoding: Array(names.joined(separator: [UInt8(ascii: "/")])), as: UTF8.self)
      if names.isEmpty || (try? status(of: path, followLinks: true)) != nil { return path }
      names.removeLast()
    }
  }

  func all() -> [HostCheck] {
    [root, kernel, namespaces, cgroups] + isolators + [
      seccomp, images, quota, room, curl, accounts, engine, clock, policyFile,
    ]
  }

  private var root: HostCheck {
    let uid = CurrentProcess.effectiveUser
    return HostCheck(
      name: "root", state: uid == 0 ? .ok : .missing, found: "uid \(uid)",
      enables: "roles, namespaces, limits and images", remedy: uid == 0 ? nil : "start it with sudo", isRequired: true)
  }

  /// The newest calls that nothing stands in for: all of them are there from Linux 5.12 on.
  private var kernel: HostCheck {
    let release = (try? kernelRelease()) ?? "unknown"
    var missing: [String] = []
    func probe(_ name: String, _ body: () throws(Errno) -> Void) {
      do throws(Errno) { try body() } catch { if error.code == ENOSYS { missing.append(name) } }
    }
    probe("openat2") { () throws(Errno) in _ = try openBelow(AT_FDCWD, "/", O_PATH, resolve: .noMagicLinks) }
    // A descriptor that is none: only a kernel that knows the call says so.
    probe("mount_setattr") { () throws(Errno) in try setMountAttributes(-1, recursive: false) }
    probe("open_tree") { () throws(Errno) in _ = try cloneMount("", at: -1, recursive: false) }
    return HostCheck(
      name: "kernel", state: missing.isEmpty ? .ok : .missing,
      found: "Linux \(release)" + (missing.isEmpty ? "" : " without \(missing.joined(separator: ", "))"),
      enables: "native tasks", remedy: missing.isEmpty ? nil : "Linux 5.12 or newer, and no filter that refuses these",
      isRequired: true)
  }

  private var namespaces: HostCheck {
    let missing = ["mnt", "pid", "ipc", "uts", "cgroup"].filter { (try? status(of: "/proc/self/ns/" + $0)) == nil }
    return HostCheck(
      name: "namespaces", state: missing.isEmpty ? .ok : .missing,
      found: missing.isEmpty ? "mnt, pid, ipc, uts, cgroup" : "no " + missing.joined(separator: ", "),
      enables: "native tasks", remedy: missing.isEmpty ? nil : "a kernel with CONFIG_NAMESPACES, and /proc mounted",
      isRequired: true)
  }

  private var hierarchies: CgroupHierarchies { (try? CgroupHierarchies.discover()) ?? CgroupHierarchies() }

  private var cgroups: HostCheck {
    let found = hierarchies
    let first = found.version1.keys.sorted().joined(separator: ", ")
    let second = found.version2Controllers.sorted().joined(separator: ", ")
    let layout =
      switch (found.version1.isEmpty, found.version2) {
      case (true, let mount?): "version 2 at \(mount): \(second)"
      case (false, let mount?):
        "hybrid: version 1 \(first); version 2 at \(mount)" + (second.isEmpty ? "" : ": \(second)")
      case (false, nil): "version 1: \(first)"
      case (true, nil): "none is mounted"
      }
    let isThere = !found.mounts.isEmpty
    return HostCheck(
      name: "cgroups", state: !isThere ? .missing : found.unmounted.isEmpty ? .ok : .limited,
      found: layout
        + (found.unmounted.isEmpty ? "" : "; not mounted: \(found.unmounted.sorted().joined(separator: ", "))"),
      enables: "limits of CPU, memory, processes and devices; the end of all processes of a task",
      remedy: isThere && found.unmounted.isEmpty ? nil : "mount them, as systemd does", isRequired: !isThere)
  }

  /// Those that cannot work here; one line where all can.
  private var isolators: [HostCheck] {
    let host = HostFacts(cgroups: hierarchies, isRoot: CurrentProcess.effectiveUser == 0)
    let all = BuiltInIsolators.table.map { $0.init(host: host) }
    let lacking = all.compactMap { isolator in isolator.unsupported().map { (isolator.name, $0) } }
    guard !lacking.isEmpty else {
      return [
        HostCheck(
          name: "isolators", state: .ok, found: "all \(all.count) can work here", enables: "what `plan` shows of a task"
        )
      ]
    }
    return lacking.map { name, reason in
      HostCheck(
        name: name, state: .limited, found: reason, enables: "the isolator \(name)",
        remedy: "a task that cannot do without it is refused, unless --isolation has a list without it")
    }
  }

  private var seccomp: HostCheck {
    let actions = (try? readFile("/proc/sys/kernel/seccomp/actions_avail", limit: 4096)).map { bytes in
      bytes.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }.map { printable($0) }
    }
    return HostCheck(
      name: "seccomp", state: actions == nil ? .missing : .ok,
      found: actions.map { "filters: " + $0.joined(separator: ", ") } ?? "no filters",
      enables: "the filter that every native process has by default",
      remedy: actions == nil ? "a kernel with CONFIG_SECCOMP_FILTER" : nil, isRequired: true)
  }

  private var images: HostCheck {
    let obstacle = OverlaySupport.look(at: existing).obstacle
    return HostCheck(
      name: "images", state: obstacle == nil ? .ok : .limited, found: obstacle ?? "overlayfs in \(workDirectory)",
      enables: obstacle == nil ? "images without a copy for each task" : "each task gets a copy of its image",
      remedy: obstacle == nil ? nil : "a --work-dir on ext4, XFS, Btrfs or tmpfs")
  }

  private var quota: HostCheck {
    let isThere = DiskQuota.isAvailable(at: workDirectory)
    let lack = CurrentProcess.effectiveUser == 0 ? "no project quotas" : "root alone can see whether there are quotas"
    return HostCheck(
      name: "quota", state: isThere ? .ok : .limited,
      found: (isThere ? "project quotas" : lack) + " in \(workDirectory)",
      enables: isThere
        ? "limits of disk that the kernel holds" : "limits of disk are measured, and hold a moment later",
      remedy: isThere ? nil : "a --work-dir on XFS or ext4, mounted with prjquota")
  }

  private var room: HostCheck {
    let (path, enables) = (existing, "sandboxes, logs and images")
    let room: FileSystemSpace
    do throws(Errno) {
      let directory = try openFile(path, O_RDONLY | O_DIRECTORY)
      room = try space(of: directory.rawValue)
    } catch {
      return HostCheck(
        name: "room", state: .missing, found: "\(path): \(error)", enables: enables,
        remedy: "choose another place with --work-dir")
    }
    do throws(ImageError) {
      try SpaceGuard.require(room, reserve: Budgets().reservedBytes)
      let free = "\(Quantity.bytes(room.available)) of \(Quantity.bytes(room.total)) free at \(path)"
      return HostCheck(name: "room", state: .ok, found: free, enables: enables)
    } catch {
      // As a pull says it.
      return HostCheck(name: "room", state: .limited, found: error.why, enables: enables, remedy: error.hint)
    }
  }

  private var curl: HostCheck {
    let enables = "`image pull`, and images that a task names and the store lacks"
    do throws(RegistryError) {
      let program = try CurlProgram(
        environment: ["PATH": HostEnvironment.variable("PATH") ?? ""], certificateFile: nil, launcher: nil)
      return HostCheck(name: "curl", state: .ok, found: program.path, enables: enables)
    } catch {
      return HostCheck(
        name: "curl", state: .limited, found: error.why, enables: enables, remedy: error.hint)
    }
  }

  private var accounts: HostCheck {
    let isThere = (try? status(of: HostAccounts.program, followLinks: true)) != nil
    return HostCheck(
      name: "getent", state: isThere ? .ok : .limited,
      found: isThere ? HostAccounts.program : "no \(HostAccounts.program)",
      enables: "roles that are not in /etc/passwd, as LDAP has them", remedy: isThere ? nil : "`apt install libc-bin`")
  }

  private var engine: HostCheck {
    let enables = "tasks with a Docker container"
    guard (try? status(of: engineSocket, followLinks: true)) != nil else {
      return HostCheck(
        name: "docker", state: .limited, found: "no \(engineSocket)", enables: enables,
        remedy: "start the engine, or name its socket with --docker-socket")
    }
    do throws(DockerEngineError) {
      let engine = DockerEngine(DockerEngine.Configuration(socketPath: engineSocket))
      let ping = try engine.ping()
      return HostCheck(name: "docker", state: .ok, found: "\(engineSocket), API \(ping.apiVersion)", enables: enables)
    } catch {
      return HostCheck(
        name: "docker", state: .limited, found: "\(engineSocket): \(error)", enables: enables,
        remedy: "see what the engine says: `journalctl -u docker`")
    }
  }

  private var clock: HostCheck {
    let isSynchronized = Clock.isSynchronized
    return HostCheck(
      name: "clock", state: isSynchronized ? .ok : .limited,
      found: isSynchronized ? "synchronized" : "the kernel does not know of a synchronization",
      enables: "times in results and logs that agree with other hosts', certificates of registries",
      remedy: isSynchronized ? nil : "`systemctl enable --now systemd-timesyncd`, or chrony")
  }

  private var policyFile: HostCheck {
    do throws(ExecutorFailure) {
      let found = try PolicyFile.find(policy)
      return HostCheck(
        name: "policy", state: .ok,
        found: found.map { "\($0.file) (\($0.digest))" } ?? "none: documents mean what they say",
        enables: found == nil
          ? "an agent's host should have one: packaging/policy-agent.json" : "what of this host a document may have")
    } catch {
      return HostCheck(
        name: "policy", state: .missing, found: error.message,
        enables: "nothing runs with a policy that cannot be used",
        remedy: error.hint, isRequired: true)
    }
  }
}
