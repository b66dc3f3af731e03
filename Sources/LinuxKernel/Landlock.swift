import CLinux

/// Landlock (landlock(7)): rights that a process takes from itself and from all that it will start.
package enum Landlock {
  /// The version of the kernel's interface; 0 where it has none, or it is switched off.
  package static var version: Int32 { max(0, ax_landlock_version()) }

  /// The first version with scopes (Linux 6.12).
  package static let firstWithScopes: Int32 = 6

  /// From now on abstract UNIX sockets are connected to only where one of this process' own made them; nor is one outside
  /// looked into (ptrace(2)). `no_new_privs` must be set before, or CAP_SYS_ADMIN be held.
  package static func scopeAbstractSockets() throws(Errno) {
    try check("landlock_restrict_self") { ax_scope_abstract_sockets() }
  }
}
