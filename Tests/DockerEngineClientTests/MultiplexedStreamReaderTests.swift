import Testing

@testable import DockerEngineClient

extension MultiplexedStreamReader {
  fileprivate mutating func feed(_ bytes: [UInt8]) throws(DockerEngineError) -> [OutputPiece] {
    var pieces: [OutputPiece] = []
    try feed(bytes, into: &pieces)
    return pieces
  }
}

@Suite struct MultiplexedStreamReaderTests {
  static func frame(_ stream: UInt8, _ text: String) -> [UInt8] {
    let count = UInt32(text.utf8.count)
    let length = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> UInt32($0)) }
    return [stream, 0, 0, 0] + length + Array(text.utf8)
  }

  /// Pieces of one stream joined, so that two ways of splitting compare equal.
  private func read(_ pieces: [[UInt8]]) throws -> [OutputPiece] {
    var reader = MultiplexedStreamReader()
    var joined: [OutputPiece] = []
    for piece in pieces {
      for output in try reader.feed(piece) {
        #expect(!output.bytes.isEmpty)
        if let last = joined.last, last.stream == output.stream {
          joined[joined.count - 1] = OutputPiece(stream: last.stream, bytes: last.bytes + output.bytes)
        } else {
          joined.append(output)
        }
      }
    }
    try reader.finish()
    return joined
  }

  @Test func streamsAreToldApartInOrder() throws {
    let bytes = Self.frame(1, "out") + Self.frame(2, "err\n") + Self.frame(2, "") + Self.frame(1, "\u{1}\0\0\0")
    let pieces = try read([bytes])
    #expect(pieces.map(\.stream) == [.standardOutput, .standardError, .standardOutput])
    #expect(pieces.map { String(decoding: $0.bytes, as: UTF8.self) } == ["out", "err\n", "\u{1}\0\0\0"])
    #expect(try read(bytes.map { [$0] }) == pieces)
    for split in 0...bytes.count { #expect(try read([Array(bytes[..<split]), Array(bytes[split...])]) == pieces) }
  }

  @Test(arguments: [
    [7, 0, 0, 0, 0, 0, 0, 1], [1, 0, 1, 0, 0, 0, 0, 1], [3, 0, 0, 0, 0, 0, 0, 1], Array("plain text".utf8),
  ])
  func whatIsNoFrameIsRefused(bytes: [UInt8]) {
    let error = #expect(throws: DockerEngineError.self) { try read([bytes]) }
    #expect(error?.kind == .protocolViolation)
  }

  @Test(arguments: [1, 7, 8, 10]) func halfAFrameIsAnError(count: Int) {
    let error = #expect(throws: DockerEngineError.self) { try read([Array(Self.frame(1, "output").prefix(count))]) }
    #expect(error?.kind == .transport(.body))
  }

  @Test func aHugeFrameIsGivenOutAsItComes() throws {
    var reader = MultiplexedStreamReader()
    #expect(try reader.feed([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).isEmpty)
    #expect(try reader.feed([0x61, 0x62]) == [OutputPiece(stream: .standardOutput, bytes: [0x61, 0x62])])
    #expect(throws: DockerEngineError.self) { try reader.finish() }
  }

  @Test func randomBytesNeverTrap() {
    var random = SeededGenerator(seed: 7)
    for _ in 0..<2000 {
      var reader = MultiplexedStreamReader()
      var given = 0
      var fed = 0
      for _ in 0..<8 {
        let small = UInt8.random(in: 0...3, using: &random)
        let piece = (0..<Int.random(in: 0..<20, using: &random)).map { _ in UInt8.random(in: 0...small, using: &random)
        }
        fed += piece.count
        guard let output = try? reader.feed(piece) else { break }
        given += output.reduce(0) { $0 + $1.bytes.count }
      }
      #expect(given <= fed)
    }
  }
}
