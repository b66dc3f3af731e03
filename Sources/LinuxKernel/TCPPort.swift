import CLinux

/// TCP ports of the host (tcp(7)).
package enum TCPPort {
  /// Takes a port on every address: nobody listens on it, and nobody else can while the descriptor is open.
  package static func reserve(_ port: UInt16) throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try retrying("bind") { ax_bind_tcp(port) })
  }
}
