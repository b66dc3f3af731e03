/// The isolators there are, in their fixed order: `prepare` runs in this order, `cleanup` in reverse, whatever order
/// `--isolation` names them in. To add one, write its file and put it here.
package enum BuiltInIsolators {
  package static let table: [any Isolator.Type] = [
    FilesystemLinux.self,
    PosixResourceLimits.self,
    CgroupsCPU.self,
    CgroupsMemory.self,
    CgroupsPIDs.self,
    CgroupsDevices.self,
    DockerRuntime.self,
    AppcRuntime.self,
    LinuxCapabilities.self,
    LinuxNoNewPrivileges.self,
    LinuxSeccomp.self,
    LinuxLandlock.self,
    NamespacesIPC.self,
    NamespacesPID.self,
    NamespacesCgroup.self,
    VolumeSandboxPath.self,
    VolumeHostPath.self,
    DiskUsageLimit.self,
  ]

  package static var names: [String] { table.map { $0.name } }

  /// The isolators called `names`, in the table's order. An unknown or repeated name is an error.
  package static func select(_ names: [String], host: HostFacts) throws(IsolationError) -> [any Isolator] {
    var seen: Set<String> = []
    for name in names {
      guard table.contains(where: { $0.name == name }) else {
        throw IsolationError(name, "there is no such isolator", hint: "known are \(self.names.joined(separator: ", "))")
      }
      guard seen.insert(name).inserted else { throw IsolationError(name, "it is named twice in --isolation") }
    }
    return table.filter { seen.contains($0.name) }.map { $0.init(host: host) }
  }
}
