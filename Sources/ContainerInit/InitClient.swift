import Glibc
import LaunchModel
import LinuxKernel

/// The executor's end of the conversation with a container's init.
package final class InitClient {
  private let channel: InitChannel
  /// Read already, and not for who read it.
  private var unread: Received?
  /// The process at the other end, as the kernel knows it.
  package let peer: UnixSocket.Peer

  /// Connects to the control socket of a container and says hello; `.ready` or `.setupFailed` will answer.
  package init(connectingTo path: String) throws(Errno) {
    let socket = SharedDescriptor(try UnixSocket.connect(path, kind: .sequencedPackets))
    peer = try UnixSocket.peer(of: socket.descriptor)
    channel = try InitChannel(socket)
    // An init that refused its plan has sent why and gone: that is read, not this error.
    do throws(Errno) { try channel.send(InitRequest.hello(.own)) } catch  where error.code == EPIPE {}
  }

  /// Readable when there is something for `nextEvent`.
  package var descriptor: Int32 { channel.socket.rawValue }

  /// Requests that the socket did not take yet: call `flush` when it is writable.
  package var hasUnsent: Bool { channel.hasUnsent }

  package func flush() throws(Errno) { try channel.flush() }

  package func send(_ request: InitRequest, descriptors: [SharedDescriptor] = []) throws(Errno) {
    try channel.send(request, descriptors: descriptors)
  }

  package enum Received {
    case event(InitEvent, [SharedDescriptor])
    case nothing
    /// Init is gone, or speaks something else: the container is lost.
    case closed(String)
  }

  /// What init answers to the first word of an executor that takes its container over.
  package enum Greeting {
    case understood
    /// Nothing yet: it may be stopped, or have a lot to do.
    case silent
    /// It lives, and speaks another language: why.
    case foreign(String)
  }

  /// Waits for init's answer to the hello, and asks once more, for whoever is to act on the answer.
  package func greeting(within milliseconds: Int32) throws(Errno) -> Greeting {
    let deadline = Clock.now + UInt64(milliseconds) * 1_000_000
    while Clock.now < deadline {
      let left = Int32(clamping: (deadline - min(deadline, Clock.now)) / 1_000_000 + 1)
      _ = try waitUntilReady(descriptor, read: true, write: false, timeoutMilliseconds: left)
      switch nextEvent() {
      case .nothing: continue
      case .closed(let why): return .foreign(why)
      case .event(.ready(let version, _), _):
        guard ProtocolVersion.own.understands(version) else {
          return .foreign("it speaks version \(version) of the protocol, this executor version \(ProtocolVersion.own)")
        }
        try channel.send(InitRequest.hello(.own))
        return .understood
      case .event(let event, let descriptors):
        unread = .event(event, descriptors)
        return .understood
      }
    }
    return .silent
  }

  package func nextEvent() -> Received {
    if let first = unread {
      unread = nil
      return first
    }
    do throws(WireError) {
      switch try channel.receive(InitEvent.self) {
      case .message(let event, let descriptors): return .event(event, descriptors)
      case .nothing: return .nothing
      case .closed: return .closed("container-init closed the connection")
      }
    } catch {
      return .closed("container-init cannot be understood: \(error)")
    }
  }
}
