import ContainerInit
import DockerEngineClient
import LinuxKernel

/// Starts a created container and waits for its init, whichever of the two is told of first.
final class DockerStart {
  private enum Source: UInt64 {
    case reception = 1, start, end
  }

  private let engine: DockerEngine
  private let id: ContainerID
  private let reception: Handover.Reception
  private let poller: Poller
  private let deadline: UInt64
  private var start: PendingReply<Bool>?
  private var end: PendingReply<Int32>?
  private var arrival: (connection: SharedDescriptor, peer: UnixSocket.Peer)?

  /// How long a container may take from the request to start it until its init has connected.
  private static let patience: UInt64 = 120_000_000_000

  init(_ id: ContainerID, at engine: DockerEngine, _ reception: Handover.Reception) throws(CommandFailure) {
    self.engine = engine
    self.id = id
    self.reception = reception
    deadline = Clock.now + DockerStart.patience
    do throws(Errno) {
      poller = try Poller()
      try poller.add(reception.descriptor, token: Source.reception.rawValue)
    } catch {
      throw CommandFailure(.internalError, "cannot wait for a container: \(error)")
    }
  }

  /// The connection of the container's init, and its process as this host's kernel knows it.
  ///
  /// - Parameter meanwhile: what is done while the engine is at work; when it throws, that is the outcome.
  func run(meanwhile: () throws(CommandFailure) -> Void) throws(CommandFailure) -> (
    connection: SharedDescriptor, peer: UnixSocket.Peer
  ) {
    do {
      let pending = try engine.beginStart(id)
      start = pending
      try watch(pending.descriptor, pending.interest, .start)
      // Sends the request, so that the engine is at work.
      try advanceStart()
      try meanwhile()
      while true {
        if start == nil, let arrival { return arrival }
        let now = Clock.now
        guard now < deadline else {
          throw CommandFailure(
            .unavailable, "the container \(id.short) has not come up within \(DockerStart.patience / 1_000_000_000) s",
            hint: "look at the engine's own log; the host may be overloaded")
        }
        // Deadlines of the engine's replies are looked at between waits.
        for event in try poller.wait(timeoutMilliseconds: 1000) where Source(rawValue: event.token) == .reception {
          if arrival == nil { arrival = try reception.accept() }
        }
        try advanceStart()
        try advanceEnd()
      }
    } catch let failure as CommandFailure {
      throw failure
    } catch let error as DockerEngineError {
      throw CommandFailure(error)
    } catch {
      throw CommandFailure(.internalError, "cannot wait for the container \(id.short): \(error)")
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

  private func advanceEnd() throws {
    guard let pending = end, let status = try pending.advance() else { return }
    end = nil
    guard arrival == nil else { return }
    // It may have connected and ended in one go; then it stands in the queue, and its connection says more.
    if let late = try reception.accept() { return arrival = late }
    let error = (try? engine.inspectContainer(id).state.error) ?? ""
    throw CommandFailure(
      .failed,
      "the container \(id.short) ended with status \(status) before container-init had connected"
        + (error.isEmpty ? "" : ": \(printable(error.utf8))"))
  }
}
