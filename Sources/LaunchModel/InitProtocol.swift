// The conversation between the executor and container-init, over a SOCK_SEQPACKET socket: one message a packet.
//
//   executor                                   init
//   hello ------------------------------------> (set-up is done or has failed)
//   <-------------------- ready(snapshot)       or setupFailed, and init exits
//   spawn(spec) + log descriptors ------------> forks; the child waits
//   <------------------------------- forked     or cannotStart
//   (journal: forked)
//   go ---------------------------------------> the child executes the command
//   <------------------------------- running    or cannotStart
//   <--------------------------------- ended    after it stands in the `exits` file
//   signal ----------------------------------->
//   signalStrays ----------------------------->
//   <-------------------------------- strays    how many are left, now and whenever that changes
//   killAll ----------------------------------> SIGKILL to everything else
//   <------------------------------- allGone
//   shutdown ---------------------------------> init exits
//   listen + a listening socket --------------> in place of the one that nothing leads to any more
//
// and beside the task's processes, for health checks:
//
//   openSocket -------------------------------> a TCP socket in the container's network
//   <--------------------------------- socket   with the descriptor, or noSocket
//   execute(spec) + output descriptors -------> a command that is no run: not held, not written down
//   killCommand ------------------------------>
//   <------------------------------- executed   when it has ended; with the connection it is killed
//
// A body too large for a packet travels as a sealed memfd, which is then the first descriptor.

/// Which conversation one end speaks, told in its first message.
///
/// Requests and events that an end does not know are passed over, and so are fields (`WireWriter`): additions need no new
/// number. A change that the other end would misunderstand does, and then `oldest` says with whom one can still talk.
package struct ProtocolVersion: Sendable, Hashable, WireValue, CustomStringConvertible {
  package var number: UInt32
  /// The oldest that is understood.
  package var oldest: UInt32

  package static let own = ProtocolVersion(number: 1, oldest: 1)

  package init(number: UInt32, oldest: UInt32) { (self.number, self.oldest) = (number, oldest) }
  package init(from reader: inout WireReader) throws(WireError) {
    number = try reader.integer()
    oldest = try reader.integer()
  }
  package func write(to writer: inout WireWriter) {
    writer.put(number)
    writer.put(oldest)
  }

  package func understands(_ other: ProtocolVersion) -> Bool { number >= other.oldest && other.number >= oldest }
  package var description: String { String(number) }
}

/// One run of one process, by name and number.
package struct RunKey: Sendable, Hashable, WireValue, CustomStringConvertible {
  package var process: String
  package var run: UInt32

  package init(_ process: String, _ run: UInt32) {
    self.process = process
    self.run = run
  }
  package init(from reader: inout WireReader) throws(WireError) {
    process = try reader.string()
    run = try reader.integer()
  }
  package func write(to writer: inout WireWriter) {
    writer.put(process)
    writer.put(run)
  }
  package var description: String { "\(process) run \(run)" }
}

/// What the executor asks of init.
package enum InitRequest: Sendable, Hashable, WireValue {
  /// Which conversation the executor speaks.
  case hello(ProtocolVersion)
  case spawn(ProcessSpec)
  case go(RunKey)
  /// To the process group of a run.
  case signal(RunKey, Int32)
  /// To whatever runs in the container and belongs to no run's process group.
  case signalStrays(Int32)
  case killAll
  case shutdown
  /// Of the IPv6 family, or of IPv4; the number is for the answer.
  case openSocket(UInt32, isIPv6: Bool)
  /// `process` and `run` of the specification mean nothing.
  case execute(UInt32, ProcessSpec)
  case killCommand(UInt32)
  /// The socket comes with it.
  case listen
  /// Of a newer executor.
  case unknown(UInt8)

  package init(from reader: inout WireReader) throws(WireError) {
    switch try reader.integer(UInt8.self) {
    case 0: self = .hello(try reader.value())
    case 1: self = .spawn(try reader.value())
    case 2: self = .go(try reader.value())
    // 3 was a request of older executors.
    case 4: self = .signal(try reader.value(), try reader.integer())
    case 5: self = .signalStrays(try reader.integer())
    case 6: self = .killAll
    case 7: self = .shutdown
    case 8: self = .openSocket(try reader.integer(), isIPv6: try reader.bool())
    case 9: self = .execute(try reader.integer(), try reader.value())
    case 10: self = .killCommand(try reader.integer())
    case 11: self = .listen
    case let other: self = .unknown(other)
    }
  }
  package func write(to writer: inout WireWriter) {
    switch self {
    case .hello(let version):
      writer.put(UInt8(0))
      writer.put(version)
    case .spawn(let spec):
      writer.put(UInt8(1))
      writer.put(spec)
    case .go(let key):
      writer.put(UInt8(2))
      writer.put(key)
    case .signal(let key, let signal):
      writer.put(UInt8(4))
      writer.put(key)
      writer.put(signal)
    case .signalStrays(let signal):
      writer.put(UInt8(5))
      writer.put(signal)
    case .killAll: writer.put(UInt8(6))
    case .shutdown: writer.put(UInt8(7))
    case .openSocket(let id, let isIPv6):
      writer.put(UInt8(8))
      writer.put(id)
      writer.put(isIPv6)
    case .execute(let id, let spec):
      writer.put(UInt8(9))
      writer.put(id)
      writer.put(spec)
    case .killCommand(let id):
      writer.put(UInt8(10))
      writer.put(id)
    case .listen: writer.put(UInt8(11))
    case .unknown(let number): writer.put(number)
    }
  }
}

/// How far a run has come, as init knows it.
package enum RunState: Sendable, Hashable, WireValue {
  /// Forked and held; nothing of the user's has run.
  case held(pid: Int32)
  case running(pid: Int32)
  case ended(ExitRecord)

  package init(from reader: inout WireReader) throws(WireError) {
    switch try reader.integer(UInt8.self) {
    case 0: self = .held(pid: try reader.integer())
    case 1: self = .running(pid: try reader.integer())
    case 2: self = .ended(try reader.value())
    case let other: throw WireError("unknown run state \(other)")
    }
  }
  package func write(to writer: inout WireWriter) {
    switch self {
    case .held(let pid):
      writer.put(UInt8(0))
      writer.put(pid)
    case .running(let pid):
      writer.put(UInt8(1))
      writer.put(pid)
    case .ended(let record):
      writer.put(UInt8(2))
      writer.put(record)
    }
  }
}

/// A run and its state.
package struct RunReport: Sendable, Hashable, WireValue {
  package var key: RunKey
  package var state: RunState
  package init(_ key: RunKey, _ state: RunState) {
    self.key = key
    self.state = state
  }
  package init(from reader: inout WireReader) throws(WireError) {
    key = try reader.value()
    state = try reader.value()
  }
  package func write(to writer: inout WireWriter) {
    writer.put(key)
    writer.put(state)
  }
}

/// What init tells the executor.
package enum InitEvent: Sendable, Hashable, WireValue {
  /// The container stands; every run that init knows.
  case ready(ProtocolVersion, [RunReport])
  case setupFailed(String, hint: String)
  case forked(RunKey, pid: Int32)
  case running(RunKey)
  /// The command was never executed.
  case cannotStart(RunKey, StartFailure)
  case ended(ExitRecord)
  case allGone
  /// Processes that belong to no run's process group; told after `signalStrays`, and again when their number changes.
  case strays(UInt32)
  /// Output that could not be written, with the reason.
  case logTrouble(RunKey, String)
  /// Somebody outside the container asked its first process to end, as `docker stop` and an engine that shuts down do.
  case stopRequested(signal: Int32)
  /// The descriptor comes with it.
  case socket(UInt32)
  case noSocket(UInt32, errno: Int32)
  /// The key of the record means nothing.
  case executed(UInt32, ExitRecord)
  /// Of a newer init.
  case unknown(UInt8)

  package init(from reader: inout WireReader) throws(WireError) {
    switch try reader.integer(UInt8.self) {
    case 0: self = .ready(try reader.value(), try reader.values())
    case 1: self = .setupFailed(try reader.string(), hint: try reader.string())
    case 2: self = .forked(try reader.value(), pid: try reader.integer())
    case 3: self = .running(try reader.value())
    case 4: self = .cannotStart(try reader.value(), try StartFailure(from: &reader))
    case 5: self = .ended(try reader.value())
    case 6: self = .allGone
    case 7: self = .logTrouble(try reader.value(), try reader.string())
    case 8: self = .strays(try reader.integer())
    case 9: self = .stopRequested(signal: try reader.integer())
    case 10: self = .socket(try reader.integer())
    case 11: self = .noSocket(try reader.integer(), errno: try reader.integer())
    case 12: self = .executed(try reader.integer(), try reader.value())
    case let other: self = .unknown(other)
    }
  }
  package func write(to writer: inout WireWriter) {
    switch self {
    case .ready(let version, let runs):
      writer.put(UInt8(0))
      writer.put(version)
      writer.put(list: runs)
    case .setupFailed(let message, let hint):
      writer.put(UInt8(1))
      writer.put(message)
      writer.put(hint)
    case .forked(let key, let pid):
      writer.put(UInt8(2))
      writer.put(key)
      writer.put(pid)
    case .running(let key):
      writer.put(UInt8(3))
      writer.put(key)
    case .cannotStart(let key, let failure):
      writer.put(UInt8(4))
      writer.put(key)
      // Its fields are the message's own: it is the last.
      failure.write(to: &writer)
    case .ended(let record):
      writer.put(UInt8(5))
      writer.put(record)
    case .allGone: writer.put(UInt8(6))
    case .strays(let count):
      writer.put(UInt8(8))
      writer.put(count)
    case .logTrouble(let key, let message):
      writer.put(UInt8(7))
      writer.put(key)
      writer.put(message)
    case .stopRequested(let signal):
      writer.put(UInt8(9))
      writer.put(signal)
    case .socket(let id):
      writer.put(UInt8(10))
      writer.put(id)
    case .noSocket(let id, let errno):
      writer.put(UInt8(11))
      writer.put(id)
      writer.put(errno)
    case .executed(let id, let record):
      writer.put(UInt8(12))
      writer.put(id)
      writer.put(record)
    case .unknown(let number): writer.put(number)
    }
  }
}
