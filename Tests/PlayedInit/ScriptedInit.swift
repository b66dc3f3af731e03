import ContainerInit
import Glibc
import LaunchModel
import LinuxKernel

/// What becomes of the runs of a task whose container-init is played.
struct InitScript: Sendable {
  enum End: Sendable {
    case exits(Int32)
    case cannotStart(StartFailure)
    /// It lives until it is signalled.
    case lives
    /// Init ends with it, after it has written down the exit status where there is one.
    case takesInitAlong(writing: Int32?)
  }

  /// By process, for one run after the other; the last holds for all that follow.
  var ends: [String: [End]] = [:]
  var setupFailure: (message: String, hint: String)?
  /// What it knows of runs when an executor comes that takes over.
  var reports: [RunReport] = []

  func end(_ key: RunKey) -> End {
    let all = ends[key.process] ?? []
    return all.isEmpty ? .exits(0) : all[min(Int(key.run), all.count - 1)]
  }
}

/// Container-init's end of the conversation, without a container: it answers as the script says, on a thread of its own.
struct ScriptedInit {
  private let script: InitScript
  private let channel: InitChannel
  private let exits: String
  private var living: [RunKey]

  /// Listens at `path`, and plays until the executor has gone or the script is at its end.
  ///
  /// - Returns: What is at its end when init has ended.
  static func begin(_ script: InitScript, at path: String, exits: String) throws(Errno) -> SharedDescriptor {
    let listener = SharedDescriptor(try UnixSocket.listen(path, kind: .sequencedPackets))
    let life = try makePipe()
    let end = life.second
    onThread {
      defer { withExtendedLifetime(end) {} }
      guard (try? waitUntilReady(listener.rawValue, read: true, write: false, timeoutMilliseconds: 10_000)) == true,
        let socket = (try? UnixSocket.accept(listener.descriptor)) ?? nil,
        let channel = try? InitChannel(SharedDescriptor(socket))
      else { return }
      var played = ScriptedInit(script, channel, exits)
      played.play()
    }
    return life.first
  }

  private init(_ script: InitScript, _ channel: InitChannel, _ exits: String) {
    (self.script, self.channel, self.exits) = (script, channel, exits)
    living = script.reports.compactMap { if case .running = $0.state { $0.key } else { nil } }
  }

  private mutating func play() {
    while true {
      _ = try? waitUntilReady(channel.socket.rawValue, read: true, write: false, timeoutMilliseconds: 10_000)
      guard let received = try? channel.receive(InitRequest.self), case .message(let request, _) = received,
        (try? answer(request)) == true
      else { return }
    }
  }

  /// - Returns: false when init ends.
  private mutating func answer(_ request: InitRequest) throws -> Bool {
    switch request {
    case .hello:
      if let failure = script.setupFailure {
        try channel.send(InitEvent.setupFailed(failure.message, hint: failure.hint))
        return false
      }
      try channel.send(InitEvent.ready(.own, script.reports))
    case .spawn(let spec):
      let key = RunKey(spec.process, spec.run)
      if case .cannotStart(let failure) = script.end(key) {
        try channel.send(InitEvent.cannotStart(key, failure))
      } else {
        try channel.send(InitEvent.forked(key, pid: 1000))
      }
    case .go(let key):
      try channel.send(InitEvent.running(key))
      switch script.end(key) {
      case .exits(let code): try end(key, code << 8)
      case .cannotStart: break
      case .lives: living.append(key)
      case .takesInitAlong(let code):
        if let code { _ = try write(key, code << 8) }
        return false
      }
    case .signal(let key, let signal):
      if living.contains(key) { try end(key, signal) }
    case .signalStrays: try channel.send(InitEvent.strays(0))
    case .killAll:
      for key in living { try end(key, SIGKILL) }
      try channel.send(InitEvent.allGone)
    case .shutdown: return false
    default: break
    }
    return true
  }

  private mutating func end(_ key: RunKey, _ status: Int32) throws {
    living.removeAll { $0 == key }
    try channel.send(InitEvent.ended(try write(key, status)))
  }

  private func write(_ key: RunKey, _ status: Int32) throws -> ExitRecord {
    let record = ExitRecord(key: key, waitStatus: status, bootTime: Clock.now, wallTime: Clock.wall)
    let file = try openFile(exits, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
    try file.writeAll(record.frame)
    return record
  }
}

/// The pool that tests run in has a thread for each processor, and they wait.
private func onThread(_ body: @escaping @Sendable () -> Void) {
  final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  let box = Unmanaged.passRetained(Box(body))
  let code = pthread_create(
    &thread, nil,
    { argument in
      guard let argument else { return nil }
      Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
      return nil
    }, box.toOpaque())
  if code != 0 { box.release() } else { pthread_detach(thread) }
}
