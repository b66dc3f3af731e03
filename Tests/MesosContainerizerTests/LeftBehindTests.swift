import Cgroups
import Glibc
import Isolators
import LaunchModel
import LinuxKernel
import Testing

@testable import MesosContainerizer

/// The end of a container, and what there is of those whose end nobody saw.
@Suite struct LeftBehindTests {
  /// A process that ends with a word in the cgroup's list, as the kernel keeps it.
  private final class Member {
    let process: SharedDescriptor
    let pid: Int32

    /// - Parameter file: lists the process until it has ended.
    init(of file: String) throws {
      let null = try openFile("/dev/null", O_RDWR)
      // The shell stands for the kernel.
      let line = "sleep 60 & echo $! > '\(file).new'; mv '\(file).new' '\(file)'; wait; rm '\(file)'"
      var request = SpawnRequest(
        executable: .path("/bin/sh"), arguments: ["sh", "-c", line],
        descriptors: [null.rawValue, null.rawValue, null.rawValue])
      request.environment = ["PATH=/usr/bin:/bin"]
      let child = try request.spawn()
      pid = child.pid
      process = SharedDescriptor(child.handle())
      let deadline = Clock.now + 20_000_000_000
      while (try? status(of: file)) == nil, Clock.now < deadline { CurrentProcess.pause(milliseconds: 2) }
    }

    deinit {
      _ = ProcessHandle.signal(SIGKILL, process.rawValue)
      _ = ProcessHandle.waitForEnd(process.rawValue, milliseconds: 20_000)
      ProcessHandle.reap(process.rawValue)
    }
  }

  @Test func aContainerIsRemovedFromEveryHierarchyAndOthersAreNot() throws {
    let host = try PlayedHost(version1: ["memory", "pids"], version2: true)
    let own = ["memory", "pids", "unified"].map { host.cgroup($0) }
    for cgroup in own { try host.make(CgroupDirectory(cgroup.path + "/task/deeper")) }
    try host.make(host.cgroup("memory", "t2"))
    let containerizer = try host.containerizer()
    #expect(containerizer.destroy("t", initProcess: nil) == [])
    #expect(own.allSatisfy { !host.isThere($0) } && host.isThere(host.cgroup("memory", "t2")))
    // One that is gone is no trouble.
    #expect(containerizer.destroy("t", initProcess: nil) == [])
  }

  @Test func whatCannotBeRemovedIsSaid() throws {
    let host = try PlayedHost(version1: ["memory"])
    try host.make(host.cgroup("memory"), files: [("file", "")])
    let problems = try host.containerizer().destroy("t", initProcess: nil)
    #expect(problems.count == 1)
    let wanted = "cannot remove the cgroup \(host.cgroup("memory").path): rmdir: ENOTEMPTY"
    #expect(problems.first?.hasPrefix(wanted) == true)
  }

  @Test func processesAreKilledOneByOneWhereNothingKillsThemAtOnce() throws {
    let host = try PlayedHost(version1: ["memory"])
    let task = CgroupDirectory(host.cgroup("memory").path + "/task")
    try host.make(task)
    let member = try Member(of: task.path + "/cgroup.procs")
    let containerizer = try host.containerizer()
    containerizer.killTask("t")
    #expect(ProcessHandle.waitForEnd(member.process.rawValue, milliseconds: 20_000))
    #expect(containerizer.destroy("t", initProcess: nil) == [])
    #expect(!host.isThere(host.cgroup("memory")))
  }

  @Test func initIsKilledAndReaped() throws {
    let host = try PlayedHost(version1: ["memory"])
    try host.make(host.cgroup("memory"))
    let null = try openFile("/dev/null", O_RDWR)
    var request = SpawnRequest(
      executable: .path("/bin/sh"), arguments: ["sh", "-c", "exec sleep 60"],
      descriptors: [null.rawValue, null.rawValue, null.rawValue])
    request.environment = ["PATH=/usr/bin:/bin"]
    let child = try request.spawn()
    let pid = child.pid
    #expect(try host.containerizer().destroy("t", initProcess: SharedDescriptor(child.handle())) == [])
    #expect(kill(pid, 0) == -1 && !host.isThere(host.cgroup("memory")))
  }

  @Test func leftoversAreWhatHasCgroupsHere() throws {
    let host = try PlayedHost(version1: ["memory", "pids"], version2: true)
    for (hierarchy, id) in [("memory", "b"), ("pids", "b"), ("unified", "a"), ("pids", "c")] {
      try host.make(host.cgroup(hierarchy, id))
    }
    // No directory is no cgroup.
    try writeFileAtomically(host.path + "/memory/aurora-executor/file", [])
    let found = try host.containerizer().leftovers()
    #expect(found.map(\.id) == ["a", "b", "c"])
    #expect(found.allSatisfy { !$0.isMarked })
    #expect(try PlayedHost().containerizer().leftovers().isEmpty)
  }

  @Test(.needsMarks) func whatIsAnothersIsNeitherALeftoverNorRemoved() throws {
    let host = try PlayedHost(version1: ["memory", "pids"])
    for id in ["own", "others", "half"] { for name in ["memory", "pids"] { try host.make(host.cgroup(name, id)) } }
    try host.owner.mark(host.cgroup("memory", "own"))
    try host.otherOwner.mark(host.cgroup("memory", "others"))
    try host.otherOwner.mark(host.cgroup("pids", "others"))
    // Somebody who is making his own has marked one and is about to mark the next.
    try host.otherOwner.mark(host.cgroup("pids", "half"))
    let containerizer = try host.containerizer()
    let found = containerizer.leftovers()
    #expect(found.map(\.id) == ["own"] && found.first?.isMarked == true)
    for id in ["others", "half"] {
      #expect(containerizer.destroy(id, initProcess: nil) == [])
      #expect(host.isThere(host.cgroup("memory", id)) && host.isThere(host.cgroup("pids", id)))
    }
    // A mark that is nobody's whom we know.
    try setAttribute("trusted.aurora-executor", Array("what".utf8), of: host.cgroup("memory", "own").path)
    #expect(containerizer.leftovers().isEmpty)
  }

  // MARK: While it runs

  private let freezer = [("cgroup.freeze", "0"), ("cgroup.procs", "")]

  @Test func aTaskStandsStillUntilItIsThawed() throws {
    let host = try PlayedHost(version2: true)
    let task = CgroupDirectory(host.cgroup("unified").path + "/task")
    try host.make(task, files: freezer + [("cgroup.events", "populated 1\nfrozen 1\n")])
    let containerizer = try host.containerizer()
    #expect(containerizer.freeze("t") && containerizer.isFrozen("t"))
    #expect(try task.read("cgroup.freeze") == "1")
    containerizer.thaw("t")
    #expect(try task.read("cgroup.freeze") == "0")
  }

  @Test func aTaskThatHasNotStoppedIsToldApart() throws {
    let host = try PlayedHost(version2: true)
    let task = CgroupDirectory(host.cgroup("unified").path + "/task")
    try host.make(task, files: freezer + [("cgroup.events", "populated 1\nfrozen 0\n")])
    let containerizer = try host.containerizer()
    #expect(containerizer.freeze("t") && !containerizer.isFrozen("t"))
    #expect(try task.read("cgroup.freeze") == "1")
    // Without such a cgroup there is nothing to do it with.
    #expect(try !PlayedHost(version1: ["memory"]).containerizer().freeze("t"))
  }

  @Test(.needsMarks) func anothersTaskIsNotStopped() throws {
    let host = try PlayedHost(version2: true)
    let task = CgroupDirectory(host.cgroup("unified").path + "/task")
    try host.make(task, files: freezer + [("cgroup.events", "frozen 1\n")])
    try host.otherOwner.mark(host.cgroup("unified"))
    #expect(try !host.containerizer().freeze("t"))
    #expect(try task.read("cgroup.freeze") == "0")
  }

  @Test func aTaskIsKilledFrozenAndLeftThawed() throws {
    let host = try PlayedHost(version2: true)
    let task = CgroupDirectory(host.cgroup("unified").path + "/task")
    try host.make(task, files: [("cgroup.freeze", "0")])
    let member = try Member(of: task.path + "/cgroup.procs")
    try host.containerizer().killTask("t")
    #expect(ProcessHandle.waitForEnd(member.process.rawValue, milliseconds: 20_000))
    #expect(try task.read("cgroup.freeze") == "0")
  }

  @Test func theBoundOnCPUTimeIsTakenAndGivenBack() throws {
    let host = try PlayedHost(version1: ["cpu"])
    let containerizer = try host.containerizer(["cgroups/cpu"])
    var config = ContainerConfig.plain()
    config.resources.cpus = 0.5
    let plan = try containerizer.plan(config)
    let task = CgroupDirectory(host.cgroup("cpu").path + "/task")
    for cgroup in [host.cgroup("cpu"), task] { try host.make(cgroup, files: [("cpu.cfs_quota_us", "")]) }
    containerizer.boundCPU(plan, false)
    #expect(try task.read("cpu.cfs_quota_us") == "-1" && host.cgroup("cpu").read("cpu.cfs_quota_us") == "-1")
    containerizer.boundCPU(plan, true)
    #expect(try task.read("cpu.cfs_quota_us") == "50000" && host.cgroup("cpu").read("cpu.cfs_quota_us") == "100000")
  }

  @Test func usageIsWhatEveryIsolatorMeasures() throws {
    let host = try PlayedHost(version1: ["cpu", "cpuacct", "memory"])
    for (name, files) in [
      ("cpuacct", [("cpuacct.usage", "1500\n")]),
      ("memory", [("memory.max_usage_in_bytes", "4096\n"), ("memory.oom_control", "under_oom 0\noom_kill 2\n")]),
    ] {
      try host.make(CgroupDirectory(host.cgroup(name).path + "/task"), files: files)
    }
    try host.make(host.cgroup("cpuacct"), files: [("cpuacct.usage", "1500\n")])
    let containerizer = try host.containerizer(["cgroups/cpu", "cgroups/mem"])
    let usage = containerizer.usage("t")
    #expect(usage.cpuNanoseconds == 1500 && usage.memoryPeakBytes == 4096 && usage.refusedForks == nil)
    #expect(containerizer.outOfMemoryKills("t") == 2 && containerizer.outOfMemoryKills("gone") == nil)
  }
}
