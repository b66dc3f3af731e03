import CLinux

/// Where this host's cgroups are mounted (cgroups(7)): version 1 hierarchies, a version 2 hierarchy, or both.
package struct CgroupHierarchies: Sendable, Equatable {
  /// Mount point of each version 1 controller, `memory` and so on, and of each named hierarchy, `name=systemd`. Controllers
  /// that are mounted together have the same.
  package var version1: [String: String] = [:] { didSet { version1Hierarchies = grouped() } }
  /// Every version 1 hierarchy once, in the order of their mount points.
  package private(set) var version1Hierarchies: [Version1] = []
  /// Version 1 controllers and named hierarchies that the kernel has, and this mount namespace does not show; and
  /// `cgroup2` for the version 2 hierarchy.
  package var unmounted: [String] = []
  /// The version 2 hierarchy, by the name of its file system.
  package static let unified = "cgroup2"
  /// Mount point of the version 2 hierarchy.
  package var version2: String?
  /// Controllers that the version 2 hierarchy offers; empty on a hybrid host, where version 1 holds them.
  package var version2Controllers: Set<String> = []

  package init() {}

  /// A version 1 hierarchy: where it is mounted, and what is accounted for in it.
  package struct Version1: Sendable, Equatable {
    package let mount: String
    package let controllers: Set<String>
  }

  private func grouped() -> [Version1] {
    Dictionary(grouping: version1.keys) { version1[$0] ?? "" }
      .map { Version1(mount: $0.key, controllers: Set($0.value)) }
      .sorted { $0.mount.utf8.lexicographicallyPrecedes($1.mount.utf8) }
  }

  /// The version 1 hierarchy that has a controller.
  package func version1Hierarchy(of controller: String) -> Version1? {
    version1[controller].flatMap { mount in version1Hierarchies.first { $0.mount == mount } }
  }

  /// Whether the version 2 hierarchy is all there is.
  package var isUnified: Bool { version2 != nil && version1.isEmpty }

  /// Every mount point, of both versions.
  package var mounts: [String] { version1Hierarchies.map(\.mount) + [version2].compactMap { $0 } }

  /// Reads the mounts of this mount namespace.
  package static func discover() throws(Errno) -> CgroupHierarchies {
    var found = CgroupHierarchies(mountInfo: try readFile("/proc/self/mountinfo", limit: 8 << 20))
    found.noteUnmounted(ownCgroups: try readFile("/proc/self/cgroup"))
    if let path = found.version2, let names = try? readFile(path + "/cgroup.controllers") {
      found.version2Controllers = Set(
        names.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }.map { String(decoding: $0, as: UTF8.self) })
    }
    return found
  }

  /// Options of a version 1 superblock that name neither a controller nor a hierarchy (cgroups(7)).
  private static let plainOptions: Set<String> = [
    "rw", "ro", "all", "none", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "favordynmods",
  ]

  /// Parses `/proc/self/mountinfo` (proc(5)): the fields after ` - ` are type, source and the superblock's options,
  /// which for version 1 name the controllers. Only mounts of a hierarchy's root count.
  package init(mountInfo: [UInt8]) {
    for line in mountInfo.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: " "))
      guard let dash = fields.firstIndex(where: { $0.elementsEqual("-".utf8) }), fields.count > dash + 3,
        fields[dash + 1].starts(with: "cgroup".utf8), fields.count > 4, fields[3].elementsEqual("/".utf8)
      else { continue }
      // Octal escapes stand for spaces and the like; a cgroup mount with those is not one we use.
      guard !fields[4].contains(UInt8(ascii: "\\")) else { continue }
      let path = String(decoding: fields[4], as: UTF8.self)
      switch String(decoding: fields[dash + 1], as: UTF8.self) {
      case "cgroup2": version2 = version2 ?? path
      case "cgroup":
        for option in fields[dash + 3].split(separator: UInt8(ascii: ",")).map({ String(decoding: $0, as: UTF8.self) })
        where !CgroupHierarchies.plainOptions.contains(option) && !option.utf8.starts(with: "release_agent=".utf8) {
          version1[option] = version1[option] ?? path
        }
      default: break
      }
    }
    // Observers are not called while a value is made.
    version1Hierarchies = grouped()
  }

  /// Takes from `/proc/self/cgroup`, which lists every hierarchy of the kernel as `number:controllers:path`, those that no
  /// mount was found of.
  package mutating func noteUnmounted(ownCgroups: [UInt8]) {
    for line in ownCgroups.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      // The version 2 hierarchy has the number 0 and no controllers; it is listed when it has been mounted once.
      if fields[0].elementsEqual("0".utf8), fields[1].isEmpty, version2 == nil {
        unmounted.append(CgroupHierarchies.unified)
      }
      let names = fields[1].split(separator: UInt8(ascii: ",")).map { String(decoding: $0, as: UTF8.self) }
      unmounted += names.filter { version1[$0] == nil }
    }
  }
}
