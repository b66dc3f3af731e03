import Cgroups
import Glibc
import Isolators
import LaunchModel
import LinuxKernel
import Testing

@testable import MesosContainerizer

/// The cgroups of a container that is to be launched.
@Suite struct CgroupMakerTests {
  private func plan(_ host: PlayedHost, limit: [CgroupSetup.Setting] = [], inherited: [String] = []) -> LaunchPlan {
    var plan = LaunchPlan(taskID: "t", identity: ContainerConfig.plain().identity, sandbox: "/s")
    let whole = host.cgroup("memory").path
    plan.cgroups = [CgroupSetup(directory: whole + "/task", settings: limit)]
    plan.initCgroups = [CgroupSetup(directory: whole, settings: [])]
    plan.sharedCgroups = [CgroupSetup(directory: host.cgroup("cpuset").path, settings: [], inherited: inherited)]
    return plan
  }

  private func version2(_ host: PlayedHost) -> ContainerCgroup? {
    ContainerCgroup(hierarchies: host.facts.cgroups, parent: host.facts.cgroupParent, containerID: "t")
  }

  @Test func aContainerHasItsCgroupsInEveryHierarchy() throws {
    let host = try PlayedHost(version1: ["memory", "cpuset"], version2: true)
    var made: [CgroupDirectory] = []
    try CgroupMaker.make(version2(host), plan(host), host.owner, &made)
    let wanted = ["unified", "memory", "cpuset"].map { host.cgroup($0) }
    let inside = [wanted[0].path + "/init", wanted[0].path + "/task", wanted[1].path + "/task"]
    #expect(Set(made) == Set(wanted + inside.map { CgroupDirectory($0) }))
    for cgroup in made { #expect(host.isThere(cgroup)) }
    // In reverse they can be removed.
    for cgroup in made.reversed() { try removeDirectory(cgroup.path) }
    #expect(wanted.allSatisfy { !host.isThere($0) })
  }

  @Test func controllersAreHandedDownFromWhereTheyAreMissing() throws {
    let host = try PlayedHost(version2: true)
    let mount = try #require(host.facts.cgroups.version2)
    let whole = host.cgroup("unified")
    func handed(_ path: String) throws -> String { try CgroupDirectory(path).read("cgroup.subtree_control") }
    try host.make(CgroupDirectory(whole.parent.path), files: [("cgroup.subtree_control", "pids")])
    try host.make(CgroupDirectory(mount), files: [("cgroup.subtree_control", "cpu memory pids\n")])
    var plan = plan(host)
    (plan.cgroups, plan.initCgroups, plan.sharedCgroups) = ([], [], [])
    plan.version2Cgroups = [CgroupSetup(directory: whole.path, settings: [], controllers: ["memory", "pids"])]
    var made: [CgroupDirectory] = []
    try CgroupMaker.make(version2(host), plan, host.owner, &made)
    // What has them is left alone.
    #expect(try handed(mount) == "cpu memory pids\n")
    #expect(try handed(whole.parent.path) == "+memory")
  }

  @Test func aCgroupThatIsThereIsAnothersAndStays() throws {
    let host = try PlayedHost(version1: ["memory", "cpuset"])
    try host.make(host.cgroup("cpuset"))
    var made: [CgroupDirectory] = []
    let plan = plan(host)
    let error = #expect(throws: LaunchError.self) { try CgroupMaker.make(nil, plan, host.owner, &made) }
    #expect(error?.isNameTaken == true)
    #expect(error?.message == "cannot make the cgroup \(host.cgroup("cpuset").path): mkdir: EEXIST (File exists)")
    #expect(error?.hint?.contains("choose another --task-id") == true)
    // What is undone is what this launch has made.
    #expect(made == [host.cgroup("memory")])
  }

  @Test(.needsMarks) func whoseACgroupIsIsSaid() throws {
    let host = try PlayedHost(version1: ["memory", "cpuset"])
    try host.make(host.cgroup("memory"))
    try host.otherOwner.mark(host.cgroup("memory"))
    var made: [CgroupDirectory] = []
    let plan = plan(host)
    let error = #expect(throws: LaunchError.self) { try CgroupMaker.make(nil, plan, host.owner, &made) }
    let inode = try status(of: host.path + "/other-tasks").inode
    #expect(error?.isNameTaken == true && made.isEmpty)
    let whose = "it is of a task of another work directory, whose `tasks` is inode \(inode)"
    #expect(error?.message.contains(whose) == true)
    #expect(error?.hint?.contains("find / -inum \(inode) -name tasks") == true)
  }

  @Test(.needsMarks) func whatIsMadeSaysWhoseItIs() throws {
    let host = try PlayedHost(version1: ["memory", "cpuset"])
    var made: [CgroupDirectory] = []
    try CgroupMaker.make(nil, plan(host), host.owner, &made)
    #expect(host.owner.isMarked(host.cgroup("memory")) && host.owner.isMarked(host.cgroup("cpuset")))
    #expect(host.otherOwner.isOthers(host.cgroup("memory")))
    // The one inside says nothing of its own.
    #expect(host.owner.mark(of: CgroupDirectory(host.cgroup("memory").path + "/task")).isEmpty)
  }

  @Test func limitsAreWrittenInTheirOrderIntoWhatIsThere() throws {
    let host = try PlayedHost(version1: ["memory", "cpuset"])
    let task = CgroupDirectory(host.cgroup("memory").path + "/task")
    let limits = [
      CgroupSetup.Setting("list", "first\n"), .init("list", "second\n"), .init("absent", "1", mayBeAbsent: true),
      .init("other", "3"),
    ]
    try host.make(task, files: [("list", ""), ("other", "")])
    try CgroupMaker.limitTask(plan(host, limit: limits))
    #expect(try task.read("list") == "first\nsecond\n" && task.read("other") == "3")
    #expect((try? status(of: task.path + "/absent")) == nil)
  }

  @Test func aLimitThatCannotBeWrittenIsAnError() throws {
    let host = try PlayedHost(version1: ["memory", "cpuset"])
    let task = CgroupDirectory(host.cgroup("memory").path + "/task")
    try host.make(task)
    let plan = plan(host, limit: [.init("memory.limit_in_bytes", "64")])
    let error = #expect(throws: LaunchError.self) { try CgroupMaker.limitTask(plan) }
    #expect(error?.message.hasPrefix("cannot write 64 to \(task.path)/memory.limit_in_bytes: open") == true)
    #expect(error?.isNameTaken == false)
  }

  /// A new cpuset has no CPUs; in a directory that is none there is no file for them.
  @Test func whatCannotBeInheritedIsAnError() throws {
    let host = try PlayedHost(version1: ["memory", "cpuset"])
    var made: [CgroupDirectory] = []
    let plan = plan(host, inherited: ["cpuset.cpus"])
    let error = #expect(throws: LaunchError.self) { try CgroupMaker.make(nil, plan, host.owner, &made) }
    let wanted = "cannot give \(host.cgroup("cpuset").path)/cpuset.cpus what the cgroup above has"
    #expect(error?.message.contains(wanted) == true)
    #expect(made.contains(host.cgroup("cpuset")))
  }
}
