import ContainerInit
import Glibc
import LaunchModel
import LinuxKernel

/// Container-init's end of the conversation, without a container: it answers as the script says, on a thread of its own.
package struct ScriptedInit {
  private let script: InitScript
  private let channel: InitChannel
  private let exits: String
  private var living: [RunKey]
  /// Commands that hang, with what they would write to.
  private var hanging: [UInt32: [SharedDescriptor]] = [:]
  private var commands = 0
  private var strays: [UInt32]
  private var hasGreeted = false

  /// Listens at `path`, and plays until the executor has gone or the script is at its end.
  ///
  /// - Returns: What is at its end when init has ended.
  package static func begin(_ script: InitScript, at path: String, exits: String) throws(Errno) -> SharedDescriptor {
    let listener = SharedDescriptor(try UnixSocket.listen(path, kind: .sequencedPackets))
    let life = try makePipe()
    let end = life.second
    let thread = try startThread {
      defer { withExtendedLifetime(end) {} }
      guard (try? waitUntilReady(listener.rawValue, read: true, write: false, timeoutMilliseconds: 10_000)) == true,
        let socket = (try? UnixSocket.accept(listener.descriptor)) ?? nil,
        let channel = try? InitChannel(SharedDescriptor(socket))
      else { return }
      var played = ScriptedInit(script, channel, exits)
      played.play()
    }
    pthread_detach(thread)
    return life.first
  }

  private init(_ script: InitScript, _ channel: InitChannel, _ exits: String) {
    (self.script, self.channel, self.exits) = (script, channel, exits)
    strays = script.strays
    living = script.reports.compactMap { if case .running = $0.state { $0.key } else { nil } }
  }

  private mutating func play() {
    while true {
      _ = try? waitUntilReady(channel.socket.rawValue, read: true, write: false, timeoutMilliseconds: 10_000)
      guard let received = try? channel.receive(InitRequest.self),
        case .message(let request, let descriptors) = received
      else { return }
      script.heard?.add(request)
      guard (try? answer(request, descriptors)) == true else { return }
    }
  }

  /// - Returns: false when init ends.
  private mutating func answer(_ request: InitRequest, _ descriptors: [SharedDescriptor]) throws -> Bool {
    switch request {
    case .hello:
      if let failure = script.setupFailure {
        try channel.send(InitEvent.setupFailed(failure.message, hint: failure.hint))
        return false
      }
      if script.greets, !hasGreeted || !script.greetsOnce {
        try channel.send(InitEvent.ready(script.version, script.reports))
      }
      hasGreeted = true
    case .spawn(let spec):
      let key = RunKey(spec.process, spec.run)
      if case .cannotStart(let failure) = script.end(key) {
        try channel.send(InitEvent.cannotStart(key, failure))
      } else {
        if let text = script.output[spec.process], descriptors.count == 3 {
          try descriptors[1].descriptor.writeAll(Array(text.output.utf8))
          try descriptors[2].descriptor.writeAll(Array(text.errors.utf8))
        }
        try channel.send(InitEvent.forked(key, pid: 1000))
      }
    case .go(let key): return try go(key)
    case .signal(let key, let signal):
      if living.contains(key), !defies(key) { try end(key, signal) }
    case .signalStrays: try channel.send(InitEvent.strays(strays.isEmpty ? 0 : strays.removeFirst()))
    case .killAll:
      guard script.kills else { break }
      for key in living { try end(key, SIGKILL) }
      try channel.send(InitEvent.allGone)
    case .openSocket(let id, let isIPv6): try openSocket(id, isIPv6)
    case .execute(let id, _): try execute(id, descriptors)
    case .killCommand(let id):
      if hanging.removeValue(forKey: id) != nil { try executed(id, SIGKILL) }
    case .shutdown: return false
    default: break
    }
    return true
  }

  private mutating func go(_ key: RunKey) throws -> Bool {
    try channel.send(InitEvent.running(key))
    for remark in script.remarks[key.process] ?? [] { try channel.send(remark) }
    switch script.end(key) {
    case .exits(let code): try end(key, code << 8)
    case .cannotStart: break
    case .lives, .defies: living.append(key)
    case .takesInitAlong(let code):
      if let code { _ = try write(key, code << 8) }
      return false
    }
    return true
  }

  private func defies(_ key: RunKey) -> Bool { if case .defies = script.end(key) { true } else { false } }

  // MARK: Beside the runs

  private func openSocket(_ id: UInt32, _ isIPv6: Bool) throws {
    switch script.network {
    case .host:
      let socket = SharedDescriptor(try StreamSocket.makeTCP(isIPv6: isIPv6, owner: CurrentProcess.effectiveUser))
      try channel.send(InitEvent.socket(id), descriptors: [socket])
    case .fails(let code): try channel.send(InitEvent.noSocket(id, errno: code))
    case .loses: try channel.send(InitEvent.socket(id))
    }
  }

  private mutating func execute(_ id: UInt32, _ output: [SharedDescriptor]) throws {
    let command = script.commands[min(commands, script.commands.count - 1)]
    commands += 1
    switch command {
    case .exits(let code, let text):
      // Whoever reads may have enough of it.
      CurrentProcess.ignoreBrokenPipes()
      try? output.first?.descriptor.writeAll(Array(text.utf8))
      try executed(id, code << 8)
    case .hangs: hanging[id] = output
    case .dies(let signal): try executed(id, signal)
    case .cannotStart(let failure): try executed(id, 0, failure)
    }
  }

  private func executed(_ id: UInt32, _ status: Int32, _ failure: StartFailure? = nil) throws {
    var record = ExitRecord(key: RunKey("", 0), waitStatus: status, bootTime: Clock.now, wallTime: Clock.wall)
    record.startFailure = failure
    try channel.send(InitEvent.executed(id, record))
  }

  // MARK: Ends

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
