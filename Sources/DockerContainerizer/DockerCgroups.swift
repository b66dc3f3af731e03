import DockerEngineClient
import LinuxKernel

/// The cgroups that an engine has made for one container, as its init was found in them.
///
/// Only those whose name has the container's id: an engine that makes none leaves a container in its own, and what is done
/// here to a cgroup is done to everything in it.
struct DockerCgroups {
  /// With the limit of CPU time.
  let cpu: CgroupDirectory?
  /// With every process of the container.
  let processes: CgroupDirectory?

  init?(_ id: ContainerID, pid: Int32) {
    guard let cgroups = try? readFile("/proc/\(pid)/cgroup"), let hierarchies = try? CgroupHierarchies.discover() else {
      return nil
    }
    self.init(id, cgroups: cgroups, hierarchies: hierarchies)
  }

  init(_ id: ContainerID, cgroups: [UInt8], hierarchies: CgroupHierarchies) {
    var version1: [String: CgroupDirectory] = [:]
    var version2: CgroupDirectory?
    for line in cgroups.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3, let path = DockerCgroups.own(id, Array(fields[2])) else { continue }
      if fields[0].elementsEqual("0".utf8) { version2 = hierarchies.version2.map { CgroupDirectory($0 + path) } }
      for name in fields[1].split(separator: UInt8(ascii: ",")) {
        let controller = String(decoding: name, as: UTF8.self)
        if let mount = hierarchies.version1[controller] { version1[controller] = CgroupDirectory(mount + path) }
      }
    }
    cpu = version1["cpu"] ?? version2
    processes = version1["pids"] ?? version1["memory"] ?? version1["freezer"] ?? version2
  }

  /// As far as the component with the id: what is below was made inside.
  private static func own(_ id: ContainerID, _ path: [UInt8]) -> String? {
    let components = path.pathComponents
    guard let last = components.firstIndex(where: { $0.holds(id.text.utf8) }), !components.contains(Array("..".utf8))
    else { return nil }
    return components[...last].map { "/" + String(decoding: $0, as: UTF8.self) }.joined()
  }

  /// How many processes there are.
  var count: Int { processes?.tree().reduce(0) { $0 + $1.ownProcesses().count } ?? 0 }
}
