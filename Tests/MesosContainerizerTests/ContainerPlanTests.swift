import Isolators
import LaunchModel
import LinuxKernel
import TaskStore
import Testing

@testable import MesosContainerizer

/// What a launch would do, on hosts that have this and lack that.
@Suite struct ContainerPlanTests {
  @Test func whatTheHostLacksIsLeftOutWhereNobodyAskedForIt() throws {
    let host = try PlayedHost(version1: ["cpu"])
    let containerizer = try host.containerizer(["cgroups/cpu", "cgroups/mem", "posix/rlimits"])
    let plan = try containerizer.plan(.plain())
    #expect(plan.isolators == ["posix/rlimits", "cgroups/cpu"])
    #expect(plan.leftOut == [LeftOut("cgroups/mem", "this host has no memory cgroup controller mounted")])
    #expect(plan.cgroups.map(\.directory) == [host.cgroup("cpu").path + "/task"])
  }

  @Test func whatIsAskedForAndCannotBeHadRefusesTheLaunch() throws {
    let host = try PlayedHost(version1: ["cpu"])
    var config = ContainerConfig.plain()
    config.resources.memoryBytes = 1 << 20
    let containerizer = try host.containerizer(["cgroups/mem"])
    let error = #expect(throws: LaunchError.self) { try containerizer.plan(config) }
    #expect(error?.isUnavailable == true)
    #expect(error?.message == "isolator cgroups/mem: this host has no memory cgroup controller mounted")
    #expect(error?.hint?.contains("--isolation with a list that does not have it") == true)
    #expect(ExecutorFailure(try #require(error)).kind == .configuration)
  }

  /// It protects the host: nobody goes without it by accident.
  @Test func aWallIsNotPassedOver() throws {
    let host = try PlayedHost(version1: ["cpu"])
    host.facts.cgroups.unmounted = ["freezer"]
    let containerizer = try host.containerizer(["namespaces/cgroup"])
    let error = #expect(throws: LaunchError.self) { try containerizer.plan(.plain()) }
    #expect(error?.message.contains("freezer") == true && error?.isUnavailable == true)
  }

  @Test func whatNoIsolatorOfTheListGivesIsRefused() throws {
    var config = ContainerConfig.plain()
    config.limits = [.init(name: "NOFILE", soft: 1, hard: 1)]
    let containerizer = try PlayedHost().containerizer(["linux/nnp"])
    let error = #expect(throws: LaunchError.self) { try containerizer.plan(config) }
    #expect(error?.message.contains("posix/rlimits") == true && error?.isUnavailable == true)
    // A mistake of the task's is none of the host's.
    config.limits = [.init(name: "NOFILES", soft: 1, hard: 1)]
    let other = try PlayedHost().containerizer(["posix/rlimits"])
    let mistake = #expect(throws: LaunchError.self) { try other.plan(config) }
    #expect(mistake?.isUnavailable == false && mistake?.hint?.contains("RLMT_NOFILE") == true)
    #expect(ExecutorFailure(try #require(mistake)).kind == .failed)
  }

  @Test func onlyRootHasACgroupToBeBornInAndAUserToBecome() throws {
    var host = try PlayedHost(version2: true)
    var plan = try host.containerizer().plan(.plain())
    #expect(plan.cgroupDirectory == host.cgroup("unified").path + "/task" && plan.restrictions.changesUser)
    host = try PlayedHost(version2: true, isRoot: false)
    plan = try host.containerizer().plan(.plain())
    #expect(plan.cgroupDirectory == nil && !plan.restrictions.changesUser)
    #expect(try host.containerizer(["linux/nnp", "posix/rlimits"]).isolatorNames == ["posix/rlimits", "linux/nnp"])
  }
}
