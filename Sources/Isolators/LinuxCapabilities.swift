import LaunchModel
import LinuxKernel

/// `linux/capabilities`: what root's powers are, for a role that has any, and the most any program may gain.
package struct LinuxCapabilities: Isolator {
  package static let name = "linux/capabilities"
  package init(host: HostFacts) {}

  /// Docker's default.
  package static let standard = [
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
    "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
  ]

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    let bounding = try parse(container.boundingCapabilities ?? container.effectiveCapabilities ?? Self.standard)
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
