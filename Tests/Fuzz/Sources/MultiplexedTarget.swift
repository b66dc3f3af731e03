@testable import DockerEngineClient

/// However output is split, the same comes out.
func fuzzMultiplexed(_ bytes: [UInt8]) {
  var dice = Dice(bytes)
  let seed = dice.byte()
  let whole = read([dice.rest])
  promise(read(pieces(dice.rest, seed: seed)) == whole, "another meaning in other pieces")
  let count = whole.output.reduce(0) { $0 + $1.bytes.count }
  promise(count <= dice.rest.count, "more output than bytes")
}

private struct Reading: Equatable {
  /// Of one stream each, neighbours of one stream together.
  var output: [OutputPiece] = []
  var isWrong = false
  var isWhole = false
}

private func read(_ pieces: [[UInt8]]) -> Reading {
  var reader = MultiplexedStreamReader()
  var reading = Reading()
  var output: [OutputPiece] = []
  do {
    for piece in pieces { try reader.feed(piece, into: &output) }
    reading.isWhole = (try? reader.finish()) != nil
  } catch {
    reading.isWrong = true
  }
  var joined: [(stream: OutputStream, bytes: [UInt8])] = []
  for piece in output {
    promise(!piece.bytes.isEmpty, "an empty piece of output")
    if joined.last?.stream == piece.stream {
      joined[joined.count - 1].bytes += piece.bytes
    } else {
      joined.append((piece.stream, piece.bytes))
    }
  }
  reading.output = joined.map { OutputPiece(stream: $0.stream, bytes: $0.bytes) }
  return reading
}
