import Glibc
import LaunchModel
import LinuxKernel

/// Messages over a SOCK_SEQPACKET socket: one a packet, a large body in a sealed memfd beside it.
package final class InitChannel {
  package let socket: SharedDescriptor
  private var queue: [(bytes: [UInt8], descriptors: [SharedDescriptor])] = []

  /// Larger bodies travel as a file: a packet must fit the socket's buffer whole.
  private static let largestPacket = 60_000
  private static let largestBody = 16 << 20
  /// A peer that does not read for so long is cut off; it can connect again and ask.
  private static let largestQueue = 20_000

  /// Takes a connected socket over and makes it non-blocking.
  package init(_ socket: SharedDescriptor) throws(Errno) {
    try socket.descriptor.setNonBlocking(true)
    self.socket = socket
  }

  package var hasUnsent: Bool { !queue.isEmpty }

  /// Sends a message, or queues it when the peer is slow: call `flush` when the socket is writable.
  package func send(_ message: some WireValue, descriptors: [SharedDescriptor] = []) throws(Errno) {
    let body = message.encoded
    if body.count <= InitChannel.largestPacket {
      queue.append(([0] + body, descriptors))
    } else {
      queue.append(([1], [SharedDescriptor(try sealedMemory("message", body))] + descriptors))
    }
    if queue.count > InitChannel.largestQueue { throw Errno("sendmsg", code: ETIMEDOUT) }
    try flush()
  }

  /// Sends what is queued, as far as the peer takes it.
  package func flush() throws(Errno) {
    while let message = queue.first {
      let numbers = message.descriptors.map(\.rawValue)
      guard try UnixSocket.send(message.bytes, descriptors: numbers, over: socket.descriptor) else { return }
      queue.removeFirst()
    }
  }

  package enum Received<Message: Sendable>: Sendable {
    case message(Message, [SharedDescriptor])
    case nothing
    case closed
  }

  /// The next message. A message that cannot be read is an error: the peer is not ours.
  package func receive<Message: WireValue & Sendable>(_ type: Message.Type) throws(WireError) -> Received<Message> {
    let packet: UnixSocket.Message
    switch nextPacket() {
    case .success(let some?): packet = some
    case .success(nil): return .nothing
    case .failure(let error): throw WireError(error.description)
    }
    if packet.truncated { throw WireError("a message does not fit") }
    guard let kind = packet.bytes.first else { return .closed }
    if kind == 0 { return .message(try Message(decoding: Array(packet.bytes.dropFirst())), packet.descriptors) }
    guard let file = packet.descriptors.first else { throw WireError("a message's body is missing") }
    return .message(try Message(decoding: try InitChannel.content(of: file)), Array(packet.descriptors.dropFirst()))
  }

  /// An empty packet stands for a peer that is gone.
  ///
  /// A peer that closed without having read everything leaves ECONNRESET, and the kernel tells that before it hands out
  /// what the peer had sent: the error is taken once, then what is there is read.
  private func nextPacket() -> Result<UnixSocket.Message?, Errno> {
    for _ in 0..<2 {
      do throws(Errno) {
        return .success(try UnixSocket.receive(upTo: InitChannel.largestPacket + 16, over: socket.descriptor))
      } catch {
        guard error.code == ECONNRESET else { return .failure(error) }
      }
    }
    return .success(UnixSocket.Message.closed)
  }

  private static func content(of file: SharedDescriptor) throws(WireError) -> [UInt8] {
    var all: [UInt8] = []
    while all.count <= largestBody {
      guard let piece = try? file.descriptor.read(upTo: 1 << 20, at: Int64(all.count)) else {
        throw WireError("a message's body cannot be read")
      }
      if piece.isEmpty { return all }
      all += piece
    }
    throw WireError("a message of more than \(largestBody) bytes")
  }
}
