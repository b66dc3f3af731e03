/// Which stream of a process some output belongs to.
public enum OutputStream: UInt8, Sendable, Hashable {
  /// The engine's echo of input; seldom seen.
  case standardInput = 0
  /// Descriptor 1.
  case standardOutput = 1
  /// Descriptor 2.
  case standardError = 2
}

/// Some output of a process, in the order in which the engine saw it.
public struct OutputPiece: Sendable, Equatable {
  /// Where the process wrote it. Of a terminal there is only standard output.
  public let stream: OutputStream
  /// Never empty.
  public let bytes: [UInt8]
}

/// Takes apart the engine's multiplexed output (`application/vnd.docker.multiplexed-stream`): frames of an 8-byte head,
/// the stream's number, three zeros and the length in network order, each followed by that many bytes.
///
/// A value without I/O. A frame is given out as it comes, in pieces as they arrive, so that a length of 4 GiB costs
/// nothing. Whether output is multiplexed at all follows from the container's own `Tty` setting, never from its look.
public struct MultiplexedStreamReader: Sendable {
  private var header: [UInt8] = []
  private var stream = OutputStream.standardOutput
  private var remaining: UInt32 = 0

  /// A reader at the start of a stream.
  public init() {}

  /// Adds the output in the bytes that arrived to `pieces`, also that before a frame which is wrong.
  public mutating func feed(
    _ bytes: some Collection<UInt8>, into pieces: inout [OutputPiece]
  ) throws(DockerEngineError) {
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      if remaining > 0 {
        let piece = rest.prefix(Int(remaining))
        pieces.append(OutputPiece(stream: stream, bytes: Array(piece)))
        remaining -= UInt32(piece.count)
        rest = rest.dropFirst(piece.count)
        continue
      }
      let missing = rest.prefix(8 - header.count)
      header += missing
      rest = rest.dropFirst(missing.count)
      if header.count == 8 { try readHeader() }
    }
  }

  /// The stream has ended; half a frame is an error.
  public func finish() throws(DockerEngineError) {
    guard header.isEmpty, remaining == 0 else {
      throw DockerEngineError(.transport(.body), detail: "the output ended within a frame")
    }
  }

  private mutating func readHeader() throws(DockerEngineError) {
    guard header[1] == 0, header[2] == 0, header[3] == 0, let stream = OutputStream(rawValue: header[0]) else {
      // 3 is the engine's own "system error", which comes instead of output that could not be read.
      let what = header.starts(with: [3, 0, 0, 0]) ? "the engine failed to read it" : "unknown frame"
      throw DockerEngineError(
        .protocolViolation, detail: "the output is not a multiplexed stream: \(what) (\(excerpt(header)))")
    }
    self.stream = stream
    remaining = header[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
    header = []
  }
}
