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
package struct ProcessSpec: Sendable, Hashable, WireValue {
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

  package init(from reader: inout WireReader) throws(WireError) {
    process = try reader.string()
    run = try reader.integer()
    switch try reader.integer(UInt8.self) {
    case 0: command = .shell(try reader.string())
    case 1: command = .program(try reader.strings())
    case let other: throw WireError("unknown kind of command \(other)")
    }
    environment = try reader.values()
    workingDirectory = try reader.string()
    switch try reader.integer(UInt8.self) {
    case 0: logMode = .direct
    case 1: logMode = .files(maximumBytes: try reader.integer(), backups: try reader.integer())
    case 2: logMode = .discard
    case let other: throw WireError("unknown log mode \(other)")
    }
  }

  package func write(to writer: inout WireWriter) {
    writer.put(process)
    writer.put(run)
    switch command {
    case .shell(let line):
      writer.put(UInt8(0))
      writer.put(line)
    case .program(let arguments):
      writer.put(UInt8(1))
      writer.put(list: arguments)
    }
    writer.put(list: environment)
    writer.put(workingDirectory)
    switch logMode {
    case .direct: writer.put(UInt8(0))
    case .files(let bytes, let backups):
      writer.put(UInt8(1))
      writer.put(bytes)
      writer.put(backups)
    case .discard: writer.put(UInt8(2))
    }
  }
}
