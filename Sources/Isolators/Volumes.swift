import LaunchModel
import LinuxKernel

/// `volume/host_path`: directories and files of the host.
package struct VolumeHostPath: Isolator {
  package static let name = "volume/host_path"
  package init(host: HostFacts) {}

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    for volume in container.volumes where volume.hostPath.utf8.first == UInt8(ascii: "/") {
      guard (try? status(of: volume.hostPath, followLinks: true)) != nil else {
        throw IsolationError(
          Self.name, "the volume \(volume.hostPath) for \(volume.containerPath) does not exist on this host",
          hint: "make it before the task starts")
      }
      fragment.mounts.append(
        try VolumeMount.step(source: volume.hostPath, volume, recursive: true, isolator: Self.name, container))
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
    for volume in container.volumes where volume.hostPath.utf8.first != UInt8(ascii: "/") {
      let components = Array(volume.hostPath.utf8).pathComponents
      guard !components.isEmpty, !components.contains(Array("..".utf8)) else {
        throw IsolationError(Self.name, "\"\(volume.hostPath)\" is not a path below the sandbox")
      }
      fragment.sandboxDirectories.append(volume.hostPath)
      fragment.mounts.append(
        try VolumeMount.step(
          source: container.sandboxHostPath + "/" + volume.hostPath, volume, recursive: false, isolator: Self.name,
          container))
    }
    return fragment
  }
}

/// The mount of a volume, the same for every kind.
enum VolumeMount {
  static func step(
    source: String, _ volume: ContainerConfig.Volume, recursive: Bool, isolator: String, _ container: ContainerConfig
  ) throws(IsolationError) -> SetupStep {
    let components = Array(volume.containerPath.utf8).pathComponents
    guard !components.isEmpty, !components.contains(Array("..".utf8)) else {
      throw IsolationError(isolator, "\"\(volume.containerPath)\" is not a path in the container")
    }
    for kernel in ["proc", "sys", "dev"] where components[0] == Array(kernel.utf8) {
      throw IsolationError(
        isolator, "a volume may not be mounted on \(volume.containerPath)", hint: "/\(kernel) is the kernel's")
    }
    var attributes: MountAttributes = [.noSetuid, .noDevices]
    if volume.readOnly { attributes.insert(.readOnly) }
    // Relative container paths start at the root, as under Aurora.
    let target = "/" + String(decoding: Array(components.joined(separator: [UInt8(ascii: "/")])), as: UTF8.self)
    return .bind(source: source, target: target, attributes: attributes.rawValue, recursive: recursive)
  }
}
