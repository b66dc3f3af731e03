import Glibc
import LaunchModel
import LinuxKernel

/// How an init in a container that somebody else made comes to what it would inherit otherwise.
///
/// The executor listens in a directory that the container has read-only; init connects, and gets the plan and these
/// descriptors in one message. Nothing of it is ever a file in the container: a task of uid 0 finds neither the plan
/// nor the control socket nor the record of exits there. From the connection the executor learns which process of the
/// host init is, without having to believe anybody.
package enum Handover {
  /// What crosses besides the plan, in this order.
  package struct Files {
    /// The task's init.log.
    package let log: SharedDescriptor
    /// The record of exits.
    package let exits: SharedDescriptor
    /// The control socket, listening already.
    package let listener: SharedDescriptor

    package init(log: SharedDescriptor, exits: SharedDescriptor, listener: SharedDescriptor) {
      self.log = log
      self.exits = exits
      self.listener = listener
    }
  }

  /// The executor's end: a listener that init will connect to.
  package struct Reception {
    private let listener: SharedDescriptor

    /// Listens at a path that does not exist yet.
    package init(at path: String) throws(Errno) {
      listener = SharedDescriptor(try UnixSocket.listen(path, kind: .sequencedPackets))
      try listener.descriptor.setNonBlocking(true)
    }

    /// Readable when init has connected.
    package var descriptor: Int32 { listener.rawValue }

    /// The connection, and who is at its other end as the kernel says; `nil` when there is none yet.
    package func accept() throws(Errno) -> (connection: SharedDescriptor, peer: UnixSocket.Peer)? {
      guard let socket = try UnixSocket.accept(listener.descriptor) else { return nil }
      let connection = SharedDescriptor(socket)
      return (connection, try UnixSocket.peer(of: connection.descriptor))
    }
  }

  /// Hands everything to the init at the other end of `connection`.
  package static func send(_ plan: LaunchPlan, _ files: Files, over connection: SharedDescriptor) throws(Errno) {
    let channel = try InitChannel(connection)
    try channel.send(plan, descriptors: [files.log, files.exits, files.listener])
    // One message on a socket that has carried none: there is room for it.
    if channel.hasUnsent { throw Errno("sendmsg", code: EAGAIN) }
  }

  /// How long init waits for the executor, which has to look at the connection first.
  private static let patience: Int32 = 60_000

  /// Init's end: connects and waits for everything.
  static func receive(_ path: String) throws -> (plan: LaunchPlan, files: Files) {
    let socket = SharedDescriptor(try UnixSocket.connect(path, kind: .sequencedPackets))
    let channel = try InitChannel(socket)
    let deadline = Clock.now + UInt64(patience) * 1_000_000
    while Clock.now < deadline {
      switch try channel.receive(LaunchPlan.self) {
      case .message(let plan, let descriptors):
        guard descriptors.count == 3 else { throw WireError("\(descriptors.count) descriptors instead of 3") }
        return (plan, Files(log: descriptors[0], exits: descriptors[1], listener: descriptors[2]))
      case .closed: throw WireError("the executor closed the connection before it had sent a plan")
      case .nothing: _ = try waitUntilReady(socket.rawValue, read: true, write: false, timeoutMilliseconds: 1000)
      }
    }
    throw WireError("the executor has sent no plan within \(patience / 1000) s")
  }
}
