import CLinux

/// UNIX-domain sockets (unix(7)), by file name only: abstract names could be reached from a task that shares the
/// host's network namespace.
package enum UnixSocket {
  package enum Kind: Sendable {
    case stream, sequencedPackets, datagrams
    var rawValue: Int32 {
      switch self {
      case .stream: Int32(SOCK_STREAM.rawValue)
      case .sequencedPackets: Int32(SOCK_SEQPACKET.rawValue)
      case .datagrams: Int32(SOCK_DGRAM.rawValue)
      }
    }
  }

  /// The user and process at the other end when the connection was made (`SO_PEERCRED`).
  package struct Peer: Sendable {
    package let pid: Int32
    package let uid: UInt32
  }

  private static func make(_ kind: Kind) throws(Errno) -> FileDescriptor {
    FileDescriptor(
      owning: try retrying("socket") { socket(AF_UNIX, kind.rawValue | Int32(SOCK_CLOEXEC.rawValue), 0) })
  }

  /// An address holds 107 bytes of path. A longer one is reached through a descriptor of its directory.
  private static func at(_ path: String, _ body: (inout sockaddr_un) throws(Errno) -> Void) throws(Errno) {
    let bytes = Array(path.utf8)
    guard bytes.count >= 108, let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else {
      var address = try address(path)
      return try body(&address)
    }
    let directory = try openFile(Array(bytes[..<slash]), O_PATH | O_DIRECTORY)
    let name = String(decoding: bytes[(slash + 1)...], as: UTF8.self)
    var address = try address("/proc/self/fd/\(directory.rawValue)/\(name)")
    try body(&address)
  }

  private static func address(_ path: String) throws(Errno) -> sockaddr_un {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    if bytes.isEmpty || bytes.count >= capacity || bytes.contains(0) { throw Errno("bind", code: ENAMETOOLONG) }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return address
  }

  /// Listens at a path that does not exist yet. The directory's permissions say who may connect.
  package static func listen(_ path: String, kind: Kind, backlog: Int32 = 16) throws(Errno) -> FileDescriptor {
    let socket = try make(kind)
    let number = socket.rawValue
    try at(path) { (address) throws(Errno) in try check("bind") { ax_bind(number, &address) } }
    try check("listen") { CLinux.listen(number, backlog) }
    return socket
  }

  package static func connect(_ path: String, kind: Kind) throws(Errno) -> FileDescriptor {
    let socket = try make(kind)
    let number = socket.rawValue
    try at(path) { (address) throws(Errno) in try check("connect") { ax_connect(number, &address) } }
    return socket
  }

  /// The next connection, `nil` when a non-blocking listener has none.
  package static func accept(_ listener: borrowing FileDescriptor) throws(Errno) -> FileDescriptor? {
    let number = listener.rawValue
    do throws(Errno) {
      return FileDescriptor(
        owning: try retrying("accept4") { ax_accept(number) })
    } catch  where error.code == EAGAIN || error.code == ECONNABORTED {
      return nil
    }
  }

  /// Two connected sockets.
  package static func pair(_ kind: Kind) throws(Errno) -> DescriptorPair {
    var numbers: [Int32] = [-1, -1]
    try check("socketpair") { socketpair(AF_UNIX, kind.rawValue | Int32(SOCK_CLOEXEC.rawValue), 0, &numbers) }
    return DescriptorPair(numbers)
  }

  /// Whether a socket, of whatever kind, is one of a pair for sequenced packets that the process has made for itself: it is its
  /// own peer.
  package static func isOwnPair(_ socket: borrowing FileDescriptor, of pid: Int32) -> Bool {
    guard (try? peer(of: socket))?.pid == pid else { return false }
    return option(SO_TYPE, of: socket) == Kind.sequencedPackets.rawValue && option(SO_ACCEPTCONN, of: socket) == 0
  }

  private static func option(_ name: Int32, of socket: borrowing FileDescriptor) -> Int32? {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(socket.rawValue, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
  }

  package static func peer(of socket: borrowing FileDescriptor) throws(Errno) -> Peer {
    var credentials = ucred()
    var length = socklen_t(MemoryLayout<ucred>.size)
    let number = socket.rawValue
    try check("getsockopt") { getsockopt(number, SOL_SOCKET, SO_PEERCRED, &credentials, &length) }
    return Peer(pid: credentials.pid, uid: credentials.uid)
  }

  /// How many descriptors one message can have here.
  package static let mostDescriptors = 64

  /// Sends one message with descriptors. False when a non-blocking socket is full.
  package static func send(_ bytes: [UInt8], descriptors: [Int32] = [], over socket: borrowing FileDescriptor)
    throws(Errno) -> Bool
  {
    let number = socket.rawValue
    do throws(Errno) {
      _ = try retrying("sendmsg") {
        ax_send_descriptors(number, bytes, bytes.count, descriptors, Int32(descriptors.count), 0)
      }
      return true
    } catch  where [EAGAIN, ENOMEM, ENOBUFS].contains(error.code) {
      // The kernel has no room for it now.
      return false
    }
  }

  /// One message as it arrived.
  package struct Message: Sendable {
    package let bytes: [UInt8]
    /// Fewer than were sent, where this process has no room for them (EMFILE).
    package let descriptors: [SharedDescriptor]
    /// Bytes of it did not fit and are lost.
    package let truncated: Bool

    /// What a peer that is gone leaves.
    package static let closed = Message(bytes: [], descriptors: [], truncated: false)
  }

  /// Receives one message. `nil` when a non-blocking socket has none; empty bytes mean that the peer is gone.
  package static func receive(upTo limit: Int, over socket: borrowing FileDescriptor) throws(Errno) -> Message? {
    var numbers = [Int32](repeating: -1, count: mostDescriptors)
    var count: Int32 = 0
    var truncated: Int32 = 0
    let number = socket.rawValue
    var failure: Errno?
    // Not filled beforehand: most messages touch a page of it.
    let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, filled in
      do throws(Errno) {
        filled = try retrying("recvmsg") {
          ax_receive_descriptors(
            number, buffer.baseAddress, limit, &numbers, Int32(mostDescriptors), &count, &truncated, 0)
        }
      } catch {
        failure = error
      }
    }
    if let failure {
      if failure.code == EAGAIN { return nil }
      throw failure
    }
    return Message(
      bytes: bytes, descriptors: numbers[..<Int(count)].map { SharedDescriptor(FileDescriptor(owning: $0)) },
      truncated: truncated != 0)
  }
}
