import Containers
import Glibc
import Isolators
import LaunchModel
import LinuxKernel
import TaskModel
import TaskStore
import Testing

@testable import MesosContainerizer

/// What of a document becomes of the native containerizer's launch, and what is refused before anything is made.
@Suite struct NativeContainerizerTests {
  private func failure(_ body: () throws -> Void) -> ExecutorFailure? {
    do { try body() } catch { return error as? ExecutorFailure }
    return nil
  }

  private static let plain = #"{"cpu": 1, "ram": 1048576, "disk": 1048576}"#

  @Test(
    arguments: [
      (#"{"network_infos": [{"name": "n"}]}"#, Self.plain, "networks of network_infos are not supported yet"),
      (#"{"tty_info": {}}"#, Self.plain, "a terminal (tty_info) is not supported yet"),
      ("{}", #"{"cpu": 1, "ram": 1048576, "disk": 1048576, "gpu": 1}"#, "GPUs are not supported yet"),
    ])
  func whatCannotBeGivenIsRefused(container: String, resources: String, cause: String) throws {
    let task = try NativeTask(container, resources: resources)
    let found = failure { _ = try task.containerizer() }
    #expect(found?.kind == .failed && found?.cause == cause)
  }

  @Test func aListOfIsolatorsThatCannotBeIsTheConfigurations() throws {
    let task = try NativeTask()
    task.settings.isolation = ["cgroups/memory"]
    #expect(failure { _ = try task.containerizer() }?.kind == .configuration)
    // A filter that is asked for is not left out.
    let other = try NativeTask(#"{"linux_info": {"seccomp": {"profile_name": "/p.json"}}}"#)
    other.settings.isolation = ["posix/rlimits"]
    let found = failure { _ = try other.containerizer() }
    #expect(found?.kind == .configuration && found?.cause.contains("asks for the seccomp profile /p.json") == true)
  }

  @Test func anImageNeedsRootAndToBeInTheStore() throws {
    let task = try NativeTask(#"{"image": {"name": "debian", "tag": "12"}}"#)
    var containerizer = try task.containerizer()
    #expect(containerizer.imageName == "debian:12" && containerizer.image == nil)
    let signals = SharedDescriptor(try signalDescriptor([]))
    let needed = failure { try containerizer.provision(until: signals) }
    #expect(needed?.kind == .needsPrivileges && needed?.hint?.contains("sudo") == true)
    let missing = failure { try containerizer.locate() }
    #expect(missing?.kind == .failed && missing?.hint?.contains("image import ARCHIVE") == true)
    #expect(missing?.cause == "the image debian:12 is not in the image store of \(task.paths.workDirectory)")
    let appc = try NativeTask(#"{"image": {"name": "x", "image_id": "sha512-1"}}"#)
    var other = try appc.containerizer()
    #expect(
      other.imageName == "x" && failure { try other.locate() }?.cause.contains("its image_id is not sha512-") == true)
    let lacking = try NativeTask(#"{"image": {"appc": {"name": "example.com/x", "labels": {"version": "1"}}}}"#)
    var nowhere = try lacking.containerizer()
    let gone = failure { try nowhere.locate() }
    #expect(gone?.kind == .failed && gone?.hint?.contains("image import FILE.aci") == true)
    #expect(gone?.cause.hasPrefix("the AppC image example.com/x:1 is not in the image store of ") == true)
    // Without one there is nothing to find.
    var none = try NativeTask().containerizer()
    try none.provision(until: signals)
    #expect(none.imageName == nil && none.image == nil && none.engineRequest() == nil)
  }

  @Test func whatRootHasAndOthersHaveNotIsSaid() throws {
    let task = try NativeTask()
    let plan = try task.containerizer().plan()
    #expect(plan.isolators == RunSettings.unprivilegedIsolation)
    #expect(Set(plan.isolators + plan.leftOut.map(\.isolator)) == Set(RunSettings.defaultIsolation))
    #expect(plan.leftOut.allSatisfy { $0.reason == "it needs root" })
    #expect(plan.sandbox == task.paths.sandbox && plan.steps.isEmpty && !plan.restrictions.changesUser)
    #expect(plan.restrictions.noNewPrivileges && plan.restrictions.filter?.isDefault == true)
    // Who has said it himself needs not be told.
    task.settings.isolation = ["posix/rlimits"]
    #expect(try task.containerizer().plan().leftOut.isEmpty)
  }

  @Test func whatADocumentAsksForIsInThePlan() throws {
    let host = try PlayedHost(version1: ["cpu", "cpuacct", "memory", "pids", "devices"], version2: true)
    let task = try NativeTask(
      #"""
      {"volumes": [{"container_path": "/v", "host_path": "/usr", "mode": "RO"},
                   {"container_path": "/w", "host_path": "data", "mode": "RW"}],
       "rlimit_info": {"rlimits": [{"type": "RLMT_NOFILE", "soft": 10, "hard": 20}]},
       "linux_info": {"bounding_capabilities": {"capabilities": ["NET_RAW"]}, "share_pid_namespace": true,
                      "ipc_mode": "PRIVATE", "shm_size": 8}}
      """#, resources: #"{"cpu": 0.5, "ram": 67108864, "disk": 1048576, "pids": 77}"#)
    task.settings.isolation = RunSettings.defaultIsolation.filter { $0 != "linux/landlock" }
    try makeDirectories(TaskPaths.tasks(task.paths.workDirectory))
    let plan = try task.containerizer(host.facts).plan()
    func value(_ hierarchy: String, _ file: String) -> String? {
      let directory = "\(host.path)/\(hierarchy)/aurora-executor/t-1/task"
      return plan.cgroups.first { $0.directory == directory }?.settings.first { $0.file == file }?.value
    }
    #expect(value("cpu", "cpu.cfs_quota_us") == "50000" && value("pids", "pids.max") == "77")
    #expect(value("memory", "memory.limit_in_bytes") == "67108864")
    #expect(plan.cgroupDirectory == "\(host.path)/unified/aurora-executor/t-1/task")
    #expect(plan.binds.contains { $0.source == "/usr" && $0.target == "/v" && $0.attributes & 1 != 0 })
    #expect(plan.binds.contains { $0.source == task.paths.sandbox + "/data" && $0.target == "/w" })
    #expect(plan.restrictions.limits.contains(ResourceLimit(resource: 7, soft: 10, hard: 20)))
    #expect(plan.restrictions.boundingCapabilities == 1 << 13)
    #expect(!Namespaces(rawValue: plan.namespaces).contains(.pid))
    #expect(Namespaces(rawValue: plan.namespaces).contains(.ipc))
    // Nobody sees into the tasks of others.
    let tasks = TaskPaths.tasks(task.paths.workDirectory)
    #expect(plan.steps.contains { if case .mount("tmpfs", tasks, _, _) = $0 { true } else { false } })
  }

  @Test func whatTheDocumentGetsWrongIsTheTasks() throws {
    let task = try NativeTask(#"{"linux_info": {"seccomp": {"profile_name": "/no/such/profile.json"}}}"#)
    let found = failure { _ = try task.containerizer().plan() }
    #expect(found?.kind == .failed)
    #expect(found?.cause.contains("cannot read the seccomp profile /no/such/profile.json") == true)
    let volume = try NativeTask(#"{"volumes": [{"container_path": "/v", "host_path": "/usr", "mode": "RO"}]}"#)
    #expect(failure { _ = try volume.containerizer().plan() }?.kind == .configuration)
  }

  @Test func whatCountsAsDiskIsTheSandboxAndTheWritableLayer() throws {
    let task = try NativeTask()
    let containerizer = try task.containerizer()
    #expect(containerizer.quotaDirectories.first == task.paths.sandbox)
    #expect(!containerizer.quotaDirectories.contains(task.paths.upper))
    try makeDirectories(task.paths.upper)
    #expect(containerizer.quotaDirectories.suffix(2) == [task.paths.upper, task.paths.overlayWork])
    // A launch that failed leaves none.
    #expect(containerizer.abandon() == [])
    #expect(!task.paths.hasRootfs)
  }

  @Test func aLaunchErrorKeepsItsKind() {
    let taken = LaunchError.nameTaken("cannot make x", Errno("mkdir", code: EEXIST), by: "a friend's")
    #expect(ExecutorFailure(taken).kind == .cannotCreate)
    #expect(taken.description == "cannot make x: mkdir: EEXIST (File exists): a friend's" && taken.hint != nil)
    let missing = LaunchError(IsolationError("x", "no such thing", hint: "buy one", isUnavailable: true))
    #expect(ExecutorFailure(missing).kind == .configuration && missing.hint == "buy one")
    #expect(ExecutorFailure(LaunchError("cannot", Errno("open", code: EIO), hint: "wait")).hint == "wait")
  }
}
