import Isolators
import TaskStore

extension RunSettings {
  /// As root; `cgroups/*` isolators whose controller the host lacks stop only a task that asks for their limit.
  package static let defaultIsolation = BuiltInIsolators.names
  /// What works without root.
  package static let unprivilegedIsolation = [
    PosixResourceLimits.name, LinuxNoNewPrivileges.name, LinuxSeccomp.name, DiskUsageLimit.name,
  ]
}
