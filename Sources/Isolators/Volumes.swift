import LaunchModel
import LinuxKernel

/// `volume/host_path`: directories and files of the host.
package struct VolumeHostPath: Isolator {
  package static let name = "volume/host_path"
  package init(host: HostFacts) {}

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    for volume in container.volumes where volume.isHostPath {
      guard let about = try? status(of: volume.hostPath, followLinks: true) else {
        throw IsolationError(
          Self.name, "the volume \(volume.hostPath) for \(volume.containerPath) does not exist on this host",
          hint: "make it before the task starts")
      }
      let target = try VolumeTarget(volume.containerPath, container, isolator: Self.name)
      fragment.binds.append(target.mount(source: volume.hostPath, readOnly: volume.readOnly, recursive: true))
      if let path = target.belowSandbox {
        fragment.sandboxEntries.append(SandboxEntry(path, isDirectory: about.isDirectory))
      }
    }
    return fragment
  }
}

/// `volume/sandbox_path`: directories below the sandbox, made when absent and owned by the role.
package struct VolumeSandboxPath: Isolator {
  package static let name = "volume/sandbox_path"
  package init(host: HostFacts) {}

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    for volume in container.volumes where !volume.isHostPath {
      let components = Array(volume.hostPath.utf8).pathComponents
      guard !components.isEmpty, !components.contains(Array("..".utf8)), components[0] != Array(".logs".utf8) else {
        throw IsolationError(Self.name, "\"\(volume.hostPath)\" is not a path below the sandbox")
      }
      let target = try VolumeTarget(volume.containerPath, container, isolator: Self.name)
      fragment.sandboxEntries.append(SandboxEntry(volume.hostPath, isDirectory: true))
      if let path = target.belowSandbox { fragment.sandboxEntries.append(SandboxEntry(path, isDirectory: true)) }
      fragment.binds.append(
        target.mount(
          source: container.sandboxHostPath + "/" + volume.hostPath, readOnly: volume.readOnly, recursive: false))
    }
    return fragment
  }
}

/// Where a volume is mounted, the same for every kind.
struct VolumeTarget {
  /// Absolute. Relative container paths start at the root, as under Aurora.
  private let path: String
  /// The same from the sandbox on, where it lies below that: there is a place for it then.
  let belowSandbox: String?

  init(_ text: String, _ container: ContainerConfig, isolator: String) throws(IsolationError) {
    let components = Array(text.utf8).pathComponents
    guard !components.isEmpty, !components.contains(Array("..".utf8)) else {
      throw IsolationError(isolator, "\"\(text)\" is not a path in the container")
    }
    for kernel in ["proc", "sys", "dev"] where components[0] == Array(kernel.utf8) {
      throw IsolationError(
        isolator, "a volume may not be mounted on \(text)", hint: "/\(kernel) is the kernel's")
    }
    let sandbox = Array(container.sandbox.utf8).pathComponents
    // What links make of a path is seen when it is mounted.
    guard !sandbox.starts(with: components), !components.starts(with: sandbox + [Array(".logs".utf8)]) else {
      throw IsolationError(
        isolator, "a volume may not be mounted on \(text)",
        hint: "the sandbox, its .logs and what lies above them stay as they are; other directories in it are free")
    }
    func joined(_ components: ArraySlice<[UInt8]>) -> String {
      String(decoding: Array(components.joined(separator: [UInt8(ascii: "/")])), as: UTF8.self)
    }
    path = "/" + joined(components[...])
    belowSandbox = components.starts(with: sandbox) ? joined(components[sandbox.count...]) : nil
    // The host's setuid programs believe the host's files.
    if case .host = container.root, belowSandbox == nil, !container.isolators.contains(LinuxNoNewPrivileges.name) {
      throw IsolationError(
        isolator, "a volume on \(path) of the host's file system needs the isolator \(LinuxNoNewPrivileges.name)",
        hint: "without it setuid programs would believe what the task put there; a volume below the sandbox needs none",
        isUnavailable: true)
    }
  }

  func mount(source: String, readOnly: Bool, recursive: Bool) -> BindMount {
    var attributes: MountAttributes = [.noSetuid, .noDevices]
    if readOnly { attributes.insert(.readOnly) }
    return BindMount(
      source: source, target: path, attributes: attributes.rawValue, recursive: recursive, kind: .volume)
  }
}
