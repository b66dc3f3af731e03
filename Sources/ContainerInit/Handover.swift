import Glibc
import LaunchModel
import LinuxKernel

/// How container-init comes to its plan and to what it works with: over a connection, in messages.
///
/// The native launcher starts it with the connection as a descriptor, and everything waits there already. In a container that
/// somebody else made it connects to a socket of the executor's, in a directory that the container has read-only. Nothing of it
/// is ever a file in the container: a task of uid 0 finds neither the plan nor the control socket nor the record of exits
/// there. From the connection the executor learns which process of the host init is, without having to believe anybody.
package enum Handover {
  /// What crosses besides the plan. None of it leads to a directory of the host above itself.
  package struct Files {
    /// The task's init.log.
    package let log: SharedDescriptor
    /// The record of exits.
    package let exits: SharedDescriptor
    /// The control socket, listening already.
    package let listener: SharedDescriptor
    /// `tasks` files of cgroups v1, in the plan's order.
    package var tasks: [SharedDescriptor] = []
    /// The cgroup2 directory, where the plan has one.
    package var cgroup: SharedDescriptor?
    /// What the plan's bind mounts mount, as detached mounts, in the plan's order.
    package var sources: [SharedDescriptor] = []
    /// What stays open as long as the container lives, such as the lock on its image.
    package var kept: [SharedDescriptor] = []

    package init(log: SharedDescriptor, exits: SharedDescriptor, listener: SharedDescriptor) {
      self.log = log
      self.exits = exits
      self.listener = listener
    }

    fileprivate var all: [SharedDescriptor] {
      [log, exits, listener] + tasks + [cgroup].compactMap { $0 } + sources + kept
    }

    fileprivate init(_ all: [SharedDescriptor], of plan: LaunchPlan) throws(WireError) {
      let tasks = 3 + plan.cgroups.count
      let sources = tasks + (plan.cgroupDirectory == nil ? 0 : 1)
      let kept = sources + plan.binds.count
      guard all.count >= kept else { throw WireError("\(all.count) descriptors instead of \(kept)") }
      self.init(log: all[0], exits: all[1], listener: all[2])
      self.tasks = Array(all[3..<tasks])
      cgroup = sources > tasks ? all[tasks] : nil
      self.sources = Array(all[sources..<kept])
      self.kept = Array(all[kept...])
    }
  }

  /// A message: the first has the plan, and all have descriptors.
  private struct Piece: WireRecord {
    var plan: LaunchPlan?
    /// How many descriptors the messages after this one have.
    var left: Int32

    static let blank = Piece(plan: nil, left: 0)
    mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
      try pass.field(&plan)
      try pass.field(&left)
    }
  }

  /// Of a message's descriptors one may be its body.
  private static let perPiece = UnixSocket.mostDescriptors - 1

  /// The executor's end where init will connect to it.
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

  /// Hands everything to the init that has, or will have, the other end of `connection`.
  package static func send(_ plan: LaunchPlan, _ files: Files, over connection: SharedDescriptor) throws(Errno) {
    let channel = try InitChannel(connection)
    var rest = files.all[...]
    var unsent: LaunchPlan? = plan
    repeat {
      let piece = Array(rest.prefix(perPiece))
      rest = rest.dropFirst(perPiece)
      try channel.send(Piece(plan: unsent, left: Int32(rest.count)), descriptors: piece)
      unsent = nil
    } while !rest.isEmpty
    // The socket has carried nothing yet: it has room for some ten thousand descriptors.
    if channel.hasUnsent { throw Errno("sendmsg", code: EAGAIN) }
  }

  /// How long init waits for the executor, which has to look at the connection first.
  private static let timeout: Int32 = 60_000

  /// Init's end: connects to the executor's.
  static func connect(to path: String) throws(Errno) -> SharedDescriptor {
    SharedDescriptor(try UnixSocket.connect(path, kind: .sequencedPackets))
  }

  /// Init's end: waits for everything.
  static func receive(over socket: SharedDescriptor) throws -> (plan: LaunchPlan, files: Files) {
    let channel = try InitChannel(socket)
    var plan: LaunchPlan?
    var files: [SharedDescriptor] = []
    let deadline = Clock.now + UInt64(timeout) * 1_000_000
    while Clock.now < deadline {
      switch try channel.receive(Piece.self) {
      case .message(let piece, let descriptors):
        plan = plan ?? piece.plan
        files += descriptors
        guard piece.left == 0 else { continue }
        guard let plan else { throw WireError("descriptors without a plan") }
        return (plan, try Files(files, of: plan))
      case .closed: throw WireError("the executor closed the connection before it had sent a plan")
      case .nothing: _ = try waitUntilReady(socket.rawValue, read: true, write: false, timeoutMilliseconds: 1000)
      }
    }
    throw WireError("the executor has sent no plan within \(timeout / 1000) s")
  }
}
