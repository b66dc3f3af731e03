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
    /// The host has run short of something: that says nothing about who was to be asked.
    case notAsked
  }

  /// Names a question that is under way.
  typealias Token = UInt64

  private final class Probe {
    private let deadline: UInt64
    /// How long the task had been stopped when it was asked.
    private let stood: UInt64
    let then: (Answer) -> Void
    /// For a second try over IPv6.
    var target: (port: Int, request: LoopbackExchange.Request?) = (0, nil)
    var exchange: LoopbackExchange?
    var command: UInt32?
    var pipe: SharedDescriptor?
    var output: [UInt8] = []
    /// How much it has written so far.
    var written = 0
    /// In how many reads: a pipe of packets gives one at a time.
    var pieces = 0
    /// The deadline has passed; answers that came in time have a moment to be heard.
    var isOverdue = false

    init(deadline: UInt64, stood: UInt64, then: @escaping (Answer) -> Void) {
      (self.deadline, self.stood) = (deadline, stood)
      self.then = then
    }

    /// Who was stopped has as much longer to answer.
    func deadline(stood total: UInt64) -> UInt64 { deadline + (total - stood) }
  }

  /// When to look at a probe. One that is no more is passed over.
  private struct Look: Comparable, Sendable {
    let at: UInt64
    let token: Token
    static func < (left: Look, right: Look) -> Bool { (left.at, left.token) < (right.at, right.token) }
  }

  private let services: ContainerServices
  private let identity: Identity
  private let standstill: Standstill?
  private let poller: Poller
  private let timer: TimerDescriptor
  private var probes: [Token: Probe] = [:]
  private var looks = Heap<Look>()
  private var lastToken: Token = 0
  private var events: [TaskEvent] = []
  private var armed: UInt64?
  /// Who wants to be woken at an instant.
  private var alarm: (at: UInt64, then: () -> Void)?

  private static let timerToken: UInt64 = 0
  /// What is kept of a command's output.
  private static let outputLimit = 4096
  /// A check that writes more than this has failed.
  private static let (mostWritten, mostPieces) = (1 << 20, 4096)
  private static let wordy = Answer.failed("the command wrote more than 1 MiB, or in more than \(mostPieces) pieces")

  init(_ services: ContainerServices, identity: Identity, _ standstill: Standstill? = nil) throws(Errno) {
    self.services = services
    self.identity = identity
    self.standstill = standstill
    poller = try Poller()
    timer = try TimerDescriptor()
    try poller.add(timer.descriptor.rawValue, token: Self.timerToken)
  }

  var descriptor: Int32 { poller.number }

  /// How many questions have no answer yet.
  var count: Int { probes.count }

  func takeEvents() -> [TaskEvent] {
    var isDue = false
    for event in (try? poller.wait(timeoutMilliseconds: 0)) ?? [] {
      if event.token == Self.timerToken {
        timer.acknowledge()
        armed = nil
        isDue = true
        continue
      }
      guard let probe = probes[event.token] else { continue }
      if let exchange = probe.exchange {
        goOn(event.token, exchange, exchange.advance())
      } else if !collect(probe) {
        end(event.token, Self.wordy)
      }
    }
    if isDue { takeDue() }
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
  func wake(at instant: UInt64?, then: @escaping () -> Void) { alarm = instant.map { ($0, then) } }

  // MARK: Questions

  /// Connects to a port of the container's loopback interface, and asks over HTTP when there is a request.
  @discardableResult func ask(
    port: Int, _ request: LoopbackExchange.Request?, within seconds: Double, then: @escaping (Answer) -> Void
  ) -> Token {
    let token = add(seconds, then)
    probes[token]?.target = (port, request)
    connect(token, isIPv6: false)
    return token
  }

  /// Runs a command in the container.
  func run(_ spec: ProcessSpec, within seconds: Double, then: @escaping (Answer) -> Void) -> Token {
    let token = add(seconds, then)
    do throws(Errno) {
      let pipe = try makePipe()
      try pipe.first.descriptor.setNonBlocking(true)
      // `echo > /dev/stdout` opens the pipe anew, which its owner may.
      if CurrentProcess.effectiveUser == 0 {
        try changeOwner(of: pipe.second.rawValue, uid: identity.uid, gid: identity.gid)
      }
      try poller.add(pipe.first.rawValue, token: token)
      probes[token]?.pipe = pipe.first
      probes[token]?.command = services.execute(spec, output: pipe.second) { [weak self] record in
        guard let self, let probe = self.probes[token] else { return }
        let isBounded = self.collect(probe)
        probe.command = nil
        guard isBounded else { return self.end(token, Self.wordy) }
        // Init knows when it ended, however late that is heard of here.
        self.end(
          token,
          record.bootTime > self.deadline(of: probe)
            ? .timedOut : .ended(record, output: Array(probe.output.suffix(Self.outputLimit))))
      }
    } catch {
      end(token, error.isShortage ? .notAsked : .failed("cannot run a command: \(error)"))
    }
    return token
  }

  /// Gives a question up: a command is killed, and nobody is told.
  func cancel(_ token: Token) { close(token) }

  // MARK: What is under way

  private func add(_ seconds: Double, _ then: @escaping (Answer) -> Void) -> Token {
    lastToken += 1
    let deadline = Clock.now &+ UInt64(min(max(0, seconds), 1e9) * 1e9)
    probes[lastToken] = Probe(deadline: deadline, stood: standstill?.total() ?? 0, then: then)
    looks.insert(Look(at: deadline, token: lastToken))
    return lastToken
  }

  private func connect(_ token: Token, isIPv6: Bool) {
    services.openSocket(isIPv6: isIPv6) { [weak self] result in
      guard let self, let probe = self.probes[token] else { return }
      do throws(Errno) {
        let exchange = LoopbackExchange(
          try result.get(), isIPv6: isIPv6, port: probe.target.port, request: probe.target.request)
        probe.exchange = exchange
        try self.poller.add(exchange.socket.rawValue, token: token, read: false, write: true)
        self.goOn(token, exchange, exchange.begin())
      } catch {
        guard !error.isShortage else { return self.end(token, .notAsked) }
        // A kernel without IPv6 has nobody who listens there.
        self.end(token, isIPv6 ? self.refusal(probe) : .failed("cannot make a socket: \(error)"))
      }
    }
  }

  private func goOn(_ token: Token, _ exchange: LoopbackExchange, _ outcome: LoopbackExchange.Outcome?) {
    switch outcome {
    case nil:
      let writes = exchange.waitsForWriting
      bestEffort("wait for the answer to a health check") {
        try poller.modify(exchange.socket.rawValue, token: token, read: !writes, write: writes)
      }
    case .connected: end(token, .connected)
    case .response(let status, let body): end(token, .response(status: status, body: body))
    case .failed(let why): end(token, .failed(why))
    case .unreachable where exchange.isIPv6: end(token, refusal(probes[token]))
    case .unreachable(let why): end(token, .failed(why))
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

  /// Takes what a command has written, at most so much that everybody gets a turn; the newest is kept. What is read costs the
  /// host and not the task, so that there is an end to it.
  ///
  /// - Returns: false when it is too much.
  private func collect(_ probe: Probe) -> Bool {
    for _ in 0..<16 {
      guard let pipe = probe.pipe, let bytes = (try? pipe.descriptor.read(upTo: 65536)) ?? nil else { return true }
      if bytes.isEmpty {
        try? poller.remove(pipe.rawValue)
        probe.pipe = nil
        return true
      }
      probe.output += bytes
      if probe.output.count > 2 * Self.outputLimit { probe.output.removeFirst(probe.output.count - Self.outputLimit) }
      probe.written += bytes.count
      probe.pieces += 1
      if probe.written > Self.mostWritten || probe.pieces > Self.mostPieces { return false }
    }
    return true
  }

  private func end(_ token: Token, _ answer: Answer) {
    guard let probe = close(token) else { return }
    probe.then(answer)
  }

  @discardableResult private func close(_ token: Token) -> Probe? {
    guard let probe = probes.removeValue(forKey: token) else { return nil }
    if let exchange = probe.exchange { try? poller.remove(exchange.socket.rawValue) }
    if let pipe = probe.pipe { try? poller.remove(pipe.rawValue) }
    if let command = probe.command { services.kill(command) }
    return probe
  }

  // MARK: Time

  private func deadline(of probe: Probe) -> UInt64 { probe.deadline(stood: standstill?.total() ?? 0) }

  private func takeDue() {
    let now = Clock.now
    // Whoever is stopped is looked at when he can have gone on.
    let rest = standstill?.rest(at: now) ?? 0
    while let look = looks.first, look.at <= now {
      _ = looks.removeFirst()
      guard let probe = probes[look.token] else { continue }
      let deadline = deadline(of: probe)
      if deadline > now {
        looks.insert(Look(at: max(deadline, rest), token: look.token))
      } else if probe.isOverdue {
        timeOut(look.token, probe)
      } else {
        // Whoever was stopped, or busy, comes to the deadline before what has long been there to be read.
        probe.isOverdue = true
        looks.insert(Look(at: now + Self.grace(late: now - deadline), token: look.token))
      }
    }
    if let due = alarm, due.at <= now {
      alarm = nil
      due.then()
    }
  }

  /// How long an answer that came in time may take to be heard.
  private static func grace(late nanoseconds: UInt64) -> UInt64 { nanoseconds > 50_000_000 ? 200_000_000 : 5_000_000 }

  private func timeOut(_ token: Token, _ probe: Probe) {
    if case .response(let status, let body)? = probe.exchange?.outcomeSoFar {
      end(token, .response(status: status, body: body))
    } else {
      end(token, .timedOut)
    }
  }

  private func arm() {
    while let look = looks.first, probes[look.token] == nil { _ = looks.removeFirst() }
    let next = min(looks.first?.at ?? .max, alarm?.at ?? .max)
    let wanted = next == .max ? nil : next
    guard wanted != armed else { return }
    armed = wanted
    bestEffort("set the timer of the health checks") { try timer.set(wanted) }
  }
}
