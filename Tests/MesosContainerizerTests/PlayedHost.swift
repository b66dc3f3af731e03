import Cgroups
import Glibc
import Isolators
import LaunchModel
import LinuxKernel
import Testing

@testable import MesosContainerizer

/// A host whose cgroup hierarchies are directories of a test's own. What the kernel does in a cgroup by itself, its files and
/// its processes, is not played: tests write those that they need.
final class PlayedHost {
  let path = "/tmp/aurora-host-\(UInt64.random(in: 0 ... .max))"
  var facts: HostFacts

  init(version1: [String] = [], version2: Bool = false, isRoot: Bool = true) throws {
    var cgroups = CgroupHierarchies()
    for name in version1 { cgroups.version1[name] = "\(path)/\(name)" }
    if version2 { cgroups.version2 = path + "/unified" }
    facts = HostFacts(cgroups: cgroups, isRoot: isRoot)
    for mount in cgroups.mounts { try makeDirectories(mount) }
    try makeDirectories(path + "/tasks")
    try makeDirectories(path + "/other-tasks")
  }
  deinit { try? removeTree(path) }

  /// Whose the cgroups are, and whose they are not.
  var owner: CgroupOwner { CgroupOwner(tasks: path + "/tasks") }
  var otherOwner: CgroupOwner { CgroupOwner(tasks: path + "/other-tasks") }

  func containerizer(_ names: [String] = []) throws -> MesosContainerizer {
    MesosContainerizer(isolators: try BuiltInIsolators.select(names, host: facts), host: facts, owner: owner)
  }

  /// A container's cgroup, or a file below it.
  func cgroup(_ hierarchy: String, _ id: String = "t") -> CgroupDirectory {
    CgroupDirectory("\(path)/\(hierarchy)/aurora-executor/\(id)")
  }

  func make(_ cgroup: CgroupDirectory, files: [(String, String)] = []) throws {
    try makeDirectories(cgroup.path)
    for (name, text) in files { try writeFileAtomically("\(cgroup.path)/\(name)", Array(text.utf8)) }
  }

  func isThere(_ cgroup: CgroupDirectory) -> Bool { (try? status(of: cgroup.path)) != nil }

  /// Whether marks can be written onto directories here: they are root's, and not of every file system.
  static let hasMarks: Bool = {
    let path = "/tmp/aurora-mark-\(UInt64.random(in: 0 ... .max))"
    defer { try? removeDirectory(path) }
    return (try? makeDirectory(path, mode: 0o700)) != nil
      && (try? setAttribute("trusted.aurora-executor", [0x30], of: path)) != nil
  }()
}

extension Trait where Self == ConditionTrait {
  /// Where none can be written a cgroup says nothing of whose it is.
  static var needsMarks: Self {
    .enabled(if: PlayedHost.hasMarks || onCI, "needs root, and trusted.* attributes in /tmp")
  }

  static var needsRoot: Self { .enabled(if: geteuid() == 0 || onCI, "needs root") }
}

private let onCI = getenv("CI").map { String(cString: $0) == "true" } ?? false

extension ContainerConfig {
  /// A task on the host's file system that asks for nothing.
  static func plain(_ id: String = "t") -> ContainerConfig {
    ContainerConfig(
      id: id, identity: Identity(name: "w", uid: 33, gid: 33, groupName: "w", supplementaryGroups: []),
      resources: .init(), root: .host, sandboxHostPath: "/s", logsHostPath: "/logs", sandbox: "/s", hostname: "h")
  }
}
