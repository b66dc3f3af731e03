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
package struct ProtocolVersion: Sendable, Hashable, WireRecord, CustomStringConvertible {
  package var number: UInt32
  /// The oldest that is understood.
  package var oldest: UInt32

  package static let own = ProtocolVersion(number: 1, oldest: 1)

  package init(number: UInt32, oldest: UInt32) { (self.number, self.oldest) = (number, oldest) }

  package static let blank = ProtocolVersion(number: 0, oldest: 0)
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&number)
    try pass.field(&oldest)
  }

  package func understands(_ other: ProtocolVersion) -> Bool { number >= other.oldest && other.number >= oldest }
  package var description: String { String(number) }
}

/// One run of one process, by name and number.
package struct RunKey: Sendable, Hashable, WireRecord, CustomStringConvertible {
  package var process: String
  package var run: UInt32

  package init(_ process: String, _ run: UInt32) {
    self.process = process
    self.run = run
  }

  package static let blank = RunKey("", 0)
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&process)
    try pass.field(&run)
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
    switch try reader.next(UInt8.self) {
    case 0: self = .hello(try reader.next())
    case 1: self = .spawn(try reader.next())
    case 2: self = .go(try reader.next())
    // 3 was a request of older executors.
    case 4: self = .signal(try reader.next(), try reader.next())
    case 5: self = .signalStrays(try reader.next())
    case 6: self = .killAll
    case 7: self = .shutdown
    case 8: self = .openSocket(try reader.next(), isIPv6: try reader.next())
    case 9: self = .execute(try reader.next(), try reader.next())
    case 10: self = .killCommand(try reader.next())
    case 11: self = .listen
    case let other: self = .unknown(other)
    }
  }
  package func write(to writer: inout WireWriter) {
    switch self {
    case .hello(let version): writer.put(case: 0, version)
    case .spawn(let spec): writer.put(case: 1, spec)
    case .go(let key): writer.put(case: 2, key)
    case .signal(let key, let signal): writer.put(case: 4, key, signal)
    case .signalStrays(let signal): writer.put(case: 5, signal)
    case .killAll: writer.put(case: 6)
    case .shutdown: writer.put(case: 7)
    case .openSocket(let id, let isIPv6): writer.put(case: 8, id, isIPv6)
    case .execute(let id, let spec): writer.put(case: 9, id, spec)
    case .killCommand(let id): writer.put(case: 10, id)
    case .listen: writer.put(case: 11)
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
    switch try reader.next(UInt8.self) {
    case 0: self = .held(pid: try reader.next())
    case 1: self = .running(pid: try reader.next())
    case 2: self = .ended(try reader.next())
    case let other: throw WireError("unknown run state \(other)")
    }
  }
  package func write(to writer: inout WireWriter) {
    switch self {
    case .held(let pid): writer.put(case: 0, pid)
    case .running(let pid): writer.put(case: 1, pid)
    case .ended(let record): writer.put(case: 2, record)
    }
  }
}

/// A run and its state.
package struct RunReport: Sendable, Hashable, WireRecord {
  package var key: RunKey
  package var state: RunState
  package init(_ key: RunKey, _ state: RunState) {
    self.key = key
    self.state = state
  }

  package static let blank = RunReport(RunKey.blank, .held(pid: 0))
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&key)
    try pass.field(&state)
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
    switch try reader.next(UInt8.self) {
    case 0: self = .ready(try reader.next(), try reader.next())
    case 1: self = .setupFailed(try reader.next(), hint: try reader.next())
    case 2: self = .forked(try reader.next(), pid: try reader.next())
    case 3: self = .running(try reader.next())
    case 4: self = .cannotStart(try reader.next(), try StartFailure(from: &reader))
    case 5: self = .ended(try reader.next())
    case 6: self = .allGone
    case 7: self = .logTrouble(try reader.next(), try reader.next())
    case 8: self = .strays(try reader.next())
    case 9: self = .stopRequested(signal: try reader.next())
    case 10: self = .socket(try reader.next())
    case 11: self = .noSocket(try reader.next(), errno: try reader.next())
    case 12: self = .executed(try reader.next(), try reader.next())
    case let other: self = .unknown(other)
    }
  }
  package func write(to writer: inout WireWriter) {
    switch self {
    case .ready(let version, let runs): writer.put(case: 0, version, runs)
    case .setupFailed(let message, let hint): writer.put(case: 1, message, hint)
    case .forked(let key, let pid): writer.put(case: 2, key, pid)
    case .running(let key): writer.put(case: 3, key)
    case .cannotStart(let key, let failure):
      writer.put(case: 4, key)
      // Its fields are the message's own: it is the last.
      failure.write(to: &writer)
    case .ended(let record): writer.put(case: 5, record)
    case .allGone: writer.put(case: 6)
    case .strays(let count): writer.put(case: 8, count)
    case .logTrouble(let key, let message): writer.put(case: 7, key, message)
    case .stopRequested(let signal): writer.put(case: 9, signal)
    case .socket(let id): writer.put(case: 10, id)
    case .noSocket(let id, let errno): writer.put(case: 11, id, errno)
    case .executed(let id, let record): writer.put(case: 12, id, record)
    case .unknown(let number): writer.put(number)
    }
  }
}
