/// A two-way connection to a process in a container: its output, and its input where that was asked for.
///
/// The engine passes on what comes from the moment it has accepted the connection, so `output.open()` before the
/// container starts loses nothing.
public final class AttachedStream {
  /// What the process writes.
  public let output: EngineStream<OutputPiece>
  private let idle: Duration?

  init(_ output: EngineStream<OutputPiece>, idle: Duration?) {
    self.output = output
    self.idle = idle
  }

  /// Sends what the connection takes now, and says how much of `bytes` that was. Only once `output.isOpen`.
  public func write(_ bytes: ArraySlice<UInt8>) throws(DockerEngineError) -> Int {
    guard output.isOpen else { throw .invalid("input before the engine has accepted the connection") }
    return try output.send(bytes)
  }

  /// Sends everything, however long that takes while it makes progress. A process that waits for its output to be read
  /// does not read its input: whoever expects much output has to read it meanwhile and use `write`.
  public func writeAll(_ bytes: [UInt8]) throws(DockerEngineError) {
    var rest = bytes[...]
    try output.open()
    while !rest.isEmpty {
      let count = try write(rest)
      rest = rest.dropFirst(count)
      if count == 0, try !output.waitUntilWritable(idle) { throw .timeout(.idle, idle ?? .zero) }
    }
  }

  /// Ends the input; output goes on.
  public func closeInput() throws(DockerEngineError) { try output.finishSending() }

  /// Closes the connection. The process runs on.
  public func cancel() { output.cancel() }
}

/// A decoder for output: with a terminal the bytes are the terminal's, without one they are multiplexed.
func outputDecoder(tty: Bool) -> StreamDecoder<OutputPiece> {
  var reader = MultiplexedStreamReader()
  return { (input, pieces) throws(DockerEngineError) in
    switch input {
    case .bytes(let bytes) where tty: pieces.append(OutputPiece(stream: .standardOutput, bytes: bytes))
    case .bytes(let bytes): try reader.feed(bytes, into: &pieces)
    case .end: if !tty { try reader.finish() }
    }
  }
}
