import Glibc
import LaunchModel
import LinuxKernel

/// The executor's end of the conversation with a container's init.
package final class InitClient {
  private let channel: InitChannel
  /// The process at the other end, as the kernel knows it.
  package let peer: UnixSocket.Peer

  /// Connects to the control socket of a container and says hello; `.ready` or `.setupFailed` will answer.
  package init(connectingTo path: String) throws(Errno) {
    let socket = SharedDescriptor(try UnixSocket.connect(path, kind: .sequencedPackets))
    peer = try UnixSocket.peer(of: socket.descriptor)
    channel = try InitChannel(socket)
    // An init that refused its plan has sent why and gone: that is read, not this error.
    do throws(Errno) { try channel.send(InitRequest.hello) } catch  where error.code == EPIPE {}
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

  package func nextEvent() -> Received {
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
