import Glibc
import Isolators
import LaunchModel
import LinuxKernel

/// What a container of the engine uses, and whether it is paused, from the cgroups that its init is in: the engine need
/// not be asked, and need not be there.
struct DockerUsage {
  private let version1: [String: CgroupDirectory]
  private let version2: CgroupDirectory?

  /// Looks up where the process is (`/proc/PID/cgroup`, cgroups(7)).
  init(pid: Int32) throws(Errno) {
    self.init(cgroups: try readFile("/proc/\(pid)/cgroup"), hierarchies: try CgroupHierarchies.discover())
  }

  init(cgroups: [UInt8], hierarchies: CgroupHierarchies) {
    var found: [String: CgroupDirectory] = [:]
    var unified: CgroupDirectory?
    for line in cgroups.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3, fields[2].first == UInt8(ascii: "/") else { continue }
      let path = String(decoding: fields[2], as: UTF8.self)
      if fields[0].elementsEqual("0".utf8) {
        unified = hierarchies.version2.map { CgroupDirectory($0 + path) }
        continue
      }
      for name in fields[1].split(separator: UInt8(ascii: ",")) {
        let controller = String(decoding: name, as: UTF8.self)
        if let mount = hierarchies.version1[controller] { found[controller] = CgroupDirectory(mount + path) }
      }
    }
    version1 = found
    version2 = unified
  }

  /// Whether `docker pause` or somebody else has frozen it.
  var isFrozen: Bool {
    if let freezer = version1["freezer"], let state = try? freezer.read("freezer.state") {
      return !state.utf8.starts(with: "THAWED".utf8)
    }
    return version2?.number("cgroup.events", key: "frozen") == 1
  }

  /// A cgroup that has all of its processes.
  var processes: CgroupDirectory? { version1["pids"] ?? version1["memory"] ?? version2 }

  /// Lets it go on.
  func thaw() {
    if let freezer = version1["freezer"] {
      bestEffort("thaw \(freezer.path)", tolerating: ENOENT, ENODEV) {
        try freezer.write("THAWED", to: "freezer.state")
      }
    } else if let version2 {
      bestEffort("thaw \(version2.path)", tolerating: ENOENT, ENODEV) { try version2.write("0", to: "cgroup.freeze") }
    }
  }

  /// What has been used so far; what cannot be read is absent.
  var now: ContainerUsage {
    var usage = ContainerUsage()
    if let memory = version1["memory"] {
      usage.memoryPeakBytes = memory.number("memory.max_usage_in_bytes")
      // Where there is no limit the kernel shows its largest number.
      usage.memoryLimitBytes = memory.number("memory.limit_in_bytes").flatMap { $0 < 1 << 62 ? $0 : nil }
      usage.outOfMemoryKills = memory.number("memory.oom_control", key: "oom_kill")
    } else if let version2 {
      usage.memoryPeakBytes = version2.number("memory.peak")
      usage.memoryLimitBytes = version2.number("memory.max")
      usage.outOfMemoryKills = version2.number("memory.events", key: "oom_kill")
    }
    if let cpu = version1["cpuacct"] {
      usage.cpuNanoseconds = cpu.number("cpuacct.usage")
    } else {
      usage.cpuNanoseconds = version2?.number("cpu.stat", key: "usage_usec").map { $0 &* 1000 }
    }
    if let pids = version1["pids"] ?? version2 {
      usage.pidsLimit = pids.number("pids.max")
      usage.refusedForks = pids.number("pids.events", key: "max")
    }
    return usage
  }
}
