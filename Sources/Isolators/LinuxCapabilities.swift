import LaunchModel
import LinuxKernel

/// `linux/capabilities`: what root's powers are, for a role that has any, and the most any program may gain.
package struct LinuxCapabilities: Isolator {
  package static let name = "linux/capabilities"
  package init(host: HostFacts) {}

  /// What root has unless the task says otherwise: podman's default, which is Docker's without AUDIT_WRITE, MKNOD and
  /// NET_RAW. On the host's network a port below 1024 is the host's, and so is every packet.
  package static func standard(sharesHostNetwork: Bool) -> [String] {
    [
      "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    ] + (sharesHostNetwork ? [] : ["NET_BIND_SERVICE"])
  }

  /// The right to what a container is made of.
  package static let administration = Capabilities(name: "SYS_ADMIN") ?? []

  /// The most that any program of the container may gain.
  static func bounding(_ container: ContainerConfig) throws(IsolationError) -> Capabilities {
    try parse(
      container.boundingCapabilities ?? container.effectiveCapabilities
        ?? standard(sharesHostNetwork: container.sharesHostNetwork))
  }

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    let bounding = try Self.bounding(container)
    var fragment = PlanFragment()
    fragment.boundingCapabilities = bounding
    if let names = container.effectiveCapabilities {
      let effective = try Self.parse(names)
      guard effective.isSubset(of: bounding) else {
        throw IsolationError(
          Self.name,
          "effective_capabilities has \(effective.subtracting(bounding).list.joined(separator: ", ")), which "
            + "bounding_capabilities has not")
      }
      fragment.effectiveCapabilities = effective
    }
    return fragment
  }

  private static func parse(_ names: [String]) throws(IsolationError) -> Capabilities {
    var set: Capabilities = []
    for word in names {
      guard let capability = Capabilities(name: word) else {
        throw IsolationError(name, "unknown capability \"\(word)\"", hint: "capabilities(7) lists them")
      }
      set.formUnion(capability)
    }
    return set
  }
}
