import ContainerInit
import Glibc
import LaunchModel
import LinuxKernel

/// What is said to a container's init and heard of it, for as long as init is there.
final class InitConversation {
  private let client: InitClient
  private let token: UInt64
  private var waitsForWriting = false
  private var isOpen = true

  /// - Parameter token: what the poller names its events by.
  init(_ client: InitClient, in poller: borrowing Poller, token: UInt64) throws(Errno) {
    (self.client, self.token) = (client, token)
    try poller.add(client.descriptor, token: token)
  }

  /// Says something, now or as soon as init takes it. That init is gone is no error here: it is seen by reading, and judged
  /// there.
  func send(_ request: InitRequest, _ descriptors: [SharedDescriptor] = []) throws(Errno) {
    guard isOpen else { return }
    do throws(Errno) { try client.send(request, descriptors: descriptors) } catch {
      guard error.isDisconnection else { throw error }
    }
  }

  /// Says what waits.
  func flush() throws(Errno) {
    do throws(Errno) { try client.flush() } catch {
      guard error.isDisconnection else { throw error }
    }
  }

  /// Has the poller tell when there is room, where something waits; before it is asked again.
  func watch(in poller: borrowing Poller) throws(Errno) {
    guard isOpen, client.hasUnsent != waitsForWriting else { return }
    waitsForWriting = client.hasUnsent
    try poller.modify(client.descriptor, token: token, read: true, write: waitsForWriting)
  }

  /// What has come next.
  func next() -> InitClient.Received { client.nextEvent() }

  /// Init is gone.
  func close(in poller: borrowing Poller) {
    isOpen = false
    try? poller.remove(client.descriptor)
  }
}

extension Errno {
  fileprivate var isDisconnection: Bool { code == EPIPE || code == ECONNRESET }
}
