import LinuxKernel

/// Ports by name, for people.
package enum PortList {
  /// `http 31007, admin 31008`, by name; nil when there are none.
  package static func text(_ ports: [String: Int]) -> String? {
    guard !ports.isEmpty else { return nil }
    return ports.sorted { $0.key < $1.key }.map { "\(printable($0.key.utf8)) \($0.value)" }.joined(separator: ", ")
  }
}
