import ContainerInit
import DockerEngineClient
import LinuxKernel
import TaskStore

/// Starts a created container and waits for its init.
///
/// Init usually connects before the engine has answered, and what it says counts: from then on nothing waits for the
/// engine. The engine's answer is waited for only as long as there is no init.
final class DockerStart {
  private enum Source: UInt64 {
    case reception = 1, start, end, signals
  }

  /// What a start has led to.
  struct Outcome {
    /// The connection of the container's init, and its process as this host's kernel knows it.
    let connection: SharedDescriptor
    let peer: UnixSocket.Peer
    /// The request that the engine has not answered yet.
    let request: PendingReply<Bool>?
  }

  private let engine: DockerEngine
  private let id: ContainerID
  private let reception: Handover.Reception
  private let poller: Poller
  private let deadline: UInt64
  private var start: PendingReply<Bool>?
  private var end: PendingReply<Int32>?

  /// How long a container may take from the request to start it until its init has connected.
  private static let timeout: UInt64 = 120_000_000_000

  init(
    _ id: ContainerID, at engine: DockerEngine, _ reception: Handover.Reception, until signals: SharedDescriptor
  ) throws(ExecutorFailure) {
    self.engine = engine
    self.id = id
    self.reception = reception
    deadline = Clock.now + DockerStart.timeout
    do throws(Errno) {
      poller = try Poller()
      try poller.add(reception.descriptor, token: Source.reception.rawValue)
      try poller.add(signals.rawValue, token: Source.signals.rawValue)
    } catch {
      throw ExecutorFailure(.internalError, "cannot wait for a container: \(error)")
    }
  }

  /// Asks the engine to start it.
  func begin() throws(ExecutorFailure) {
    let pending = try atEngine { () throws(DockerEngineError) in try engine.beginStart(id) }
    start = pending
    do throws(Errno) { try watch(pending.descriptor, pending.interest, .start) } catch {
      throw ExecutorFailure(.internalError, "cannot wait for the container \(id.short): \(error)")
    }
  }

  /// Waits for its init.
  func finish() throws(ExecutorFailure) -> Outcome {
    do {
      while true {
        guard Clock.now < deadline else {
          throw ExecutorFailure(
            .unavailable, "the container \(id.short) has not come up within \(DockerStart.timeout / 1_000_000_000) s",
            hint: "look at the engine's own log; the host may be overloaded")
        }
        // Deadlines of the engine's replies are looked at between waits.
        for event in try poller.wait(timeoutMilliseconds: 1000) {
          switch Source(rawValue: event.token) {
          case .reception:
            if let (connection, peer) = try reception.accept() {
              return Outcome(connection: connection, peer: peer, request: start)
            }
          case .signals: throw ExecutorFailure(.stopped, "stopped while the container was being started")
          default: break
          }
        }
        try advanceStart()
        if let late = try advanceEnd() { return late }
      }
    } catch let failure as ExecutorFailure {
      throw failure
    } catch let error as DockerEngineError {
      throw ExecutorFailure(error)
    } catch {
      throw ExecutorFailure(.internalError, "cannot wait for the container \(id.short): \(error)")
    }
  }

  private func watch(_ descriptor: Int32, _ interest: Readiness, _ source: Source) throws(Errno) {
    try poller.add(
      descriptor, token: source.rawValue, read: interest.contains(.read), write: interest.contains(.write))
  }

  private func advanceStart() throws {
    guard let pending = start else { return }
    let before = pending.interest
    guard try pending.advance() != nil else {
      if pending.interest != before {
        let now = pending.interest
        try poller.modify(
          pending.descriptor, token: Source.start.rawValue, read: now.contains(.read), write: now.contains(.write))
      }
      return
    }
    start = nil
    // A first process that ends at once would be waited for in vain.
    let wait = try engine.beginWait(id)
    end = wait
    try watch(wait.descriptor, .read, .end)
  }

  /// The engine says that the container has ended: what its init did before that counts all the same.
  private func advanceEnd() throws -> Outcome? {
    guard let pending = end, let status = try pending.advance() else { return nil }
    end = nil
    // It may have connected and ended in one go; then it stands in the queue, and its connection says more.
    if let (connection, peer) = try reception.accept() {
      return Outcome(connection: connection, peer: peer, request: nil)
    }
    let error = (try? engine.inspectContainer(id).state.error) ?? ""
    throw ExecutorFailure(
      .failed,
      "the container \(id.short) ended with status \(status) before container-init had connected"
        + (error.isEmpty ? "" : ": \(printable(error.utf8))"))
  }
}
