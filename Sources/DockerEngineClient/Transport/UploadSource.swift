import LinuxKernel

/// Gives an `UploadBody` in pieces as they go on the wire.
struct UploadSource {
  private let body: UploadBody
  private var remaining: UInt64?
  private var finished = false
  /// The first piece has been asked for.
  private(set) var hasStarted = false

  init(_ body: UploadBody) {
    self.body = body
    if case .descriptor(_, let length) = body { remaining = length }
  }

  /// The next piece, empty when there is none left.
  mutating func next() throws(DockerEngineError) -> [UInt8] {
    hasStarted = true
    if finished { return [] }
    switch body {
    case .bytes(let bytes):
      finished = true
      return bytes
    case .descriptor(let number, let length):
      if remaining == 0 { finished = true; return [] }
      let piece: [UInt8]
      do throws(Errno) {
        piece = try readBytes(number, upTo: Int(min(remaining ?? .max, 64 << 10)))
      } catch {
        throw .transport(.upload, error)
      }
      guard let length else { return chunk(piece) }
      if piece.isEmpty {
        throw DockerEngineError(
          .transport(.upload), detail: "what is uploaded ended before its \(length) bytes")
      }
      remaining = (remaining ?? 0) - UInt64(piece.count)
      return piece
    }
  }

  /// One chunk, or the last one (RFC 9112 §7.1).
  private mutating func chunk(_ piece: [UInt8]) -> [UInt8] {
    if piece.isEmpty { finished = true }
    let size = Array(String(piece.count, radix: 16).utf8)
    return size + [0x0d, 0x0a] + piece + [0x0d, 0x0a]
  }
}
