/// Where the output of a run goes. The files are opened by the executor and cross as descriptors.
package enum LogMode: Sendable, Hashable {
  /// Straight to where two descriptors lead: of checks, whose output is nobody's log.
  case direct
  /// Into files, by way of init, which starts a new one when one is full: descriptors directory, stdout, stderr.
  case files(maximumBytes: UInt64, backups: UInt32)
  /// Nowhere: no descriptors.
  case discard
}

/// One run of one process, as init is asked to start it.
package struct ProcessSpec: Sendable, Hashable, WireRecord {
  package enum Command: Sendable, Hashable {
    /// A command line for `/bin/bash -c`, or `/bin/sh -c` where there is no bash.
    case shell(String)
    /// A program and its arguments; a name without a slash is searched in the environment's PATH.
    case program([String])
  }

  package var process: String
  package var run: UInt32
  package var command: Command
  package var environment: [EnvironmentVariable]
  package var workingDirectory: String
  package var logMode: LogMode

  package init(
    process: String, run: UInt32, command: Command, environment: [EnvironmentVariable], workingDirectory: String,
    logMode: LogMode
  ) {
    self.process = process
    self.run = run
    self.command = command
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.logMode = logMode
  }

  package static let blank = ProcessSpec(
    process: "", run: 0, command: .shell(""), environment: [], workingDirectory: "", logMode: .discard)
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&process)
    try pass.field(&run)
    try pass.field(&command)
    try pass.field(&environment)
    try pass.field(&workingDirectory)
    try pass.field(&logMode)
  }
}

extension ProcessSpec.Command: WireField {
  package init(field reader: inout WireReader) throws(WireError) {
    switch try reader.next(UInt8.self) {
    case 0: self = .shell(try reader.next())
    case 1: self = .program(try reader.next())
    case let other: throw WireError("unknown kind of command \(other)")
    }
  }
  package func writeField(to writer: inout WireWriter) {
    switch self {
    case .shell(let line): writer.put(case: 0, line)
    case .program(let arguments): writer.put(case: 1, arguments)
    }
  }
}

extension LogMode: WireField {
  package init(field reader: inout WireReader) throws(WireError) {
    switch try reader.next(UInt8.self) {
    case 0: self = .direct
    case 1: self = .files(maximumBytes: try reader.next(), backups: try reader.next())
    case 2: self = .discard
    case let other: throw WireError("unknown log mode \(other)")
    }
  }
  package func writeField(to writer: inout WireWriter) {
    switch self {
    case .direct: writer.put(case: 0)
    case .files(let bytes, let backups): writer.put(case: 1, bytes, backups)
    case .discard: writer.put(case: 2)
    }
  }
}
