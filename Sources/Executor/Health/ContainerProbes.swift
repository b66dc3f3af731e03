import ContainerInit
import LaunchModel
import LinuxKernel
import TaskModel

/// Asks things of a container, each with a deadline, without ever waiting: connections, requests over HTTP, commands.
///
/// It is a monitor so that its descriptors and its timer are one for the supervisor; what came of a question is told to
/// who asked, who may have events to tell.
final class ContainerProbes: TaskMonitor {
  enum Answer {
    case connected
    case response(status: Int, body: [UInt8])
    /// The last of what the command wrote.
    case ended(ExitRecord, output: [UInt8])
    /// For people.
    case failed(String)
    case timedOut
  }

  private final class Probe {
    let deadline: UInt64
    let then: (Answer) -> Void
    /// For a second try over IPv6.
    var target: (port: Int, request: LoopbackExchange.Request?) = (0, nil)
    var exchange: LoopbackExchange?
    var command: UInt32?
    var pipe: SharedDescriptor?
    var output: [UInt8] = []

    init(deadline: UInt64, then: @escaping (Answer) -> Void) {
      self.deadline = deadline
      self.then = then
    }
  }

  private let services: ContainerServices
  private let identity: Identity
  private let poller: Poller
  private let timer: TimerDescriptor
  private var probes: [UInt64: Probe] = [:]
  private var lastToken: UInt64 = 0
  private var events: [TaskEvent] = []
  private var armed: UInt64?
  /// Who wants to be woken at an instant.
  private var alarm: (at: UInt64, then: () -> Void)?

  private static let timerToken: UInt64 = 0
  /// What is kept of a command's output.
  private static let outputLimit = 4096

  init(_ services: ContainerServices, identity: Identity) throws(Errno) {
    self.services = services
    self.identity = identity
    poller = try Poller()
    timer = try TimerDescriptor()
    try poller.add(timer.descriptor.rawValue, token: Self.timerToken)
  }

  var descriptor: Int32 { poller.number }

  func takeEvents() -> [TaskEvent] {
    for event in (try? poller.wait(timeoutMilliseconds: 0)) ?? [] {
      if event.token == Self.timerToken {
        timer.acknowledge()
        armed = nil
        continue
      }
      guard let probe = probes[event.token] else { continue }
      if let exchange = probe.exchange { goOn(event.token, exchange, exchange.advance()) } else { collect(probe) }
    }
    takeDue()
    return takePending()
  }

  /// What there is to tell, when something was asked or answered outside of `takeEvents`.
  func takePending() -> [TaskEvent] {
    arm()
    defer { events = [] }
    return events
  }

  /// Adds an event to what is told next.
  func tell(_ event: TaskEvent) { events.append(event) }

  /// Calls back at an instant, once; a later call takes the place of an earlier one, `nil` of all.
  func wake(at instant: UInt64?, then: @escaping () -> Void) {
    alarm = instant.map { ($0, then) }
    arm()
  }

  // MARK: Questions

  /// Connects to a port of the container's loopback interface, and asks over HTTP when there is a request.
  func ask(port: Int, _ request: LoopbackExchange.Request?, within seconds: Double, then: @escaping (Answer) -> Void) {
    let probe = Probe(deadline: Self.instant(after: seconds), then: then)
    probe.target = (port, request)
    connect(add(probe), isIPv6: false)
  }

  /// Runs a command in the container.
  func run(_ spec: ProcessSpec, within seconds: Double, then: @escaping (Answer) -> Void) {
    let probe = Probe(deadline: Self.instant(after: seconds), then: then)
    let token = add(probe)
    do throws(Errno) {
      let pipe = try makePipe()
      try pipe.first.descriptor.setNonBlocking(true)
      // `echo > /dev/stdout` opens the pipe anew, which its owner may.
      if CurrentProcess.effectiveUser == 0 {
        try changeOwner(of: pipe.second.rawValue, uid: identity.uid, gid: identity.gid)
      }
      try poller.add(pipe.first.rawValue, token: token)
      probe.pipe = pipe.first
      probe.command = services.execute(spec, output: pipe.second) { [weak self] record in
        guard let self, let probe = self.probes[token] else { return }
        self.collect(probe)
        probe.command = nil
        self.end(token, .ended(record, output: probe.output))
      }
    } catch {
      end(token, .failed("cannot run a command: \(error)"))
    }
  }

  /// Gives up whatever is under way; nobody is told.
  func abandonAll() {
    alarm = nil
    for token in Array(probes.keys) { close(token) }
    arm()
  }

  // MARK: What is under way

  private func add(_ probe: Probe) -> UInt64 {
    lastToken += 1
    probes[lastToken] = probe
    arm()
    return lastToken
  }

  private func connect(_ token: UInt64, isIPv6: Bool) {
    services.openSocket(isIPv6: isIPv6) { [weak self] result in
      guard let self, let probe = self.probes[token] else { return }
      do throws(Errno) {
        let exchange = LoopbackExchange(
          try result.get(), isIPv6: isIPv6, port: probe.target.port, request: probe.target.request)
        probe.exchange = exchange
        try self.poller.add(exchange.socket.rawValue, token: token, read: false, write: true)
        self.goOn(token, exchange, exchange.begin())
      } catch {
        // A kernel without IPv6 has nobody who listens there.
        self.end(token, isIPv6 ? self.refusal(probe) : .failed("cannot make a socket: \(error)"))
      }
    }
  }

  private func goOn(_ token: UInt64, _ exchange: LoopbackExchange, _ outcome: LoopbackExchange.Outcome?) {
    switch outcome {
    case nil:
      let writes = exchange.waitsForWriting
      try? poller.modify(exchange.socket.rawValue, token: token, read: !writes, write: writes)
    case .connected: end(token, .connected)
    case .response(let status, let body): end(token, .response(status: status, body: body))
    case .failed(let why): end(token, .failed(why))
    case .refused:
      guard let probe = probes[token], !exchange.isIPv6 else { return end(token, refusal(probes[token])) }
      try? poller.remove(exchange.socket.rawValue)
      probe.exchange = nil
      connect(token, isIPv6: true)
    }
  }

  private func refusal(_ probe: Probe?) -> Answer {
    .failed("nobody listens on port \(probe?.target.port ?? 0) (ECONNREFUSED)")
  }

  /// Takes what a command has written; the newest is kept.
  private func collect(_ probe: Probe) {
    guard let pipe = probe.pipe else { return }
    while let bytes = (try? pipe.descriptor.read(upTo: 65536)) ?? nil {
      if bytes.isEmpty {
        try? poller.remove(pipe.rawValue)
        probe.pipe = nil
        return
      }
      probe.output = Array((probe.output + bytes).suffix(Self.outputLimit))
    }
  }

  private func end(_ token: UInt64, _ answer: Answer) {
    guard let probe = close(token) else { return }
    probe.then(answer)
    arm()
  }

  @discardableResult private func close(_ token: UInt64) -> Probe? {
    guard let probe = probes.removeValue(forKey: token) else { return nil }
    if let exchange = probe.exchange { try? poller.remove(exchange.socket.rawValue) }
    if let pipe = probe.pipe { try? poller.remove(pipe.rawValue) }
    if let command = probe.command { services.kill(command) }
    return probe
  }

  // MARK: Time

  private func takeDue() {
    let now = Clock.now
    for (token, probe) in probes where probe.deadline <= now {
      if case .response(let status, let body)? = probe.exchange?.outcomeSoFar {
        end(token, .response(status: status, body: body))
      } else {
        end(token, .timedOut)
      }
    }
    if let due = alarm, due.at <= now {
      alarm = nil
      due.then()
    }
  }

  private func arm() {
    let next = min(probes.values.map(\.deadline).min() ?? .max, alarm?.at ?? .max)
    let wanted = next == .max ? nil : next
    guard wanted != armed else { return }
    armed = wanted
    try? timer.set(wanted)
  }

  private static func instant(after seconds: Double) -> UInt64 {
    Clock.now &+ UInt64(min(max(0, seconds), 1e9) * 1e9)
  }
}
