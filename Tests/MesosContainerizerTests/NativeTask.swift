import ContainerInit
import Containers
import Glibc
import Isolators
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore
import Testing

@testable import MesosContainerizer

/// A task with directories of a test's own, as it stands before its launch.
final class NativeTask {
  let path = "/tmp/aurora-native-\(UInt64.random(in: 0 ... .max))"
  let paths: TaskPaths
  let task: TaskSpecification
  var settings = RunSettings(role: "role", hostname: "host", isolation: RunSettings.unprivilegedIsolation)
  let identity = Identity(name: "role", uid: geteuid(), gid: getegid(), groupName: "role", supplementaryGroups: [])

  /// - Parameters:
  ///   - container: the document's, in JSON.
  ///   - resources: the same.
  init(_ container: String = "{}", resources: String = #"{"cpu": 1, "ram": 67108864, "disk": 67108864}"#) throws {
    paths = TaskPaths(workDirectory: path + "/work", runDirectory: path + "/run", taskID: "t-1")
    let text = #"""
      {"name": "t", "container": {"mesos": \#(container)}, "resources": \#(resources),
       "processes": [{"name": "main", "cmdline": "true"}]}
      """#
    let read = TaskDocument.decode(Array(text.utf8))
    let document = try #require(read.document, "\(read.diagnostics)")
    let bound = document.bind(Bindings(taskID: paths.taskID, role: "role", hostname: "host"))
    task = try #require(bound.task)
    try makeDirectories(path, mode: 0o755)
  }
  deinit { try? removeTree(path) }

  /// Its containerizer, on a host without root: this one is not changed by what is launched there.
  func containerizer(_ host: HostFacts = HostFacts(cgroups: CgroupHierarchies(), isRoot: false)) throws
    -> NativeContainerizer
  {
    guard case .mesos(let container) = task.container else { throw Errno("test", code: EINVAL) }
    return try NativeContainerizer(
      task: task, container: container, identity: identity, settings: settings, paths: paths, host: host,
      program: NativeTask.program ?? "")
  }

  /// The directories that are there before a launch.
  func makeDirectory() throws {
    try makeDirectories(TaskPaths.tasks(paths.workDirectory), mode: 0o711)
    _ = try TaskDirectory.make(paths, document: [], created: [], processes: 1, hasResult: false)
    try RunDirectory.make(paths)
  }

  func launch() throws -> any Container { try containerizer().launch(until: SharedDescriptor(signalDescriptor([]))) }

  /// The program that was built together with these tests: its hidden mode is container-init.
  static let program: String? = {
    guard let own = CurrentProcess.executable, let slash = own.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
    let path = own[..<slash] + "/aurora-executor"
    return (try? status(of: String(path))) == nil ? nil : String(path)
  }()

  /// The next event of a container's init.
  func next(_ client: InitClient) throws -> InitEvent {
    let deadline = Clock.now + 30_000_000_000
    while Clock.now < deadline {
      switch client.nextEvent() {
      case .event(let event, _): return event
      case .closed(let why): throw Silence(description: why)
      case .nothing: _ = try waitUntilReady(client.descriptor, read: true, write: false, timeoutMilliseconds: 1000)
      }
    }
    throw Silence(description: "container-init says nothing")
  }

  struct Silence: Error, CustomStringConvertible {
    let description: String
  }
}
