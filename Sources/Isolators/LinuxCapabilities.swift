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

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    let bounding = try parse(
      container.boundingCapabilities ?? container.effectiveCapabilities
        ?? Self.standard(sharesHostNetwork: container.sharesHostNetwork))
    var fragment = PlanFragment()
    fragment.boundingCapabilities = bounding
    if let names = container.effectiveCapabilities {
      let effective = try parse(names)
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

  private func parse(_ names: [String]) throws(IsolationError) -> Capabilities {
    var set: Capabilities = []
    for name in names {
      guard let capability = Capabilities(name: name) else {
        throw IsolationError(Self.name, "unknown capability \"\(name)\"", hint: "capabilities(7) lists them")
      }
      set.formUnion(capability)
    }
    return set
  }
}
