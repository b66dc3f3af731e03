import Glibc
import LinuxKernel

/// What a worker says over its pipe: frames of a kind (one byte), a length (four bytes, little end first) and that many
/// bytes. After a result or a failure nothing follows.
enum WorkerMessage: Equatable {
  /// Bytes read so far.
  case progress(UInt64)
  case result([UInt8])
  case failure(ImageError)

  static let maximumLength = 64 << 20

  var frame: [UInt8] {
    var wire = WireWriter()
    let kind: UInt8
    switch self {
    case .progress(let bytes):
      kind = 1
      wire.put(bytes)
    case .result(let bytes): return WorkerMessage.frame(2, bytes)
    case .failure(let error):
      kind = 3
      switch error.kind {
      case .notFound: wire.put(0 as UInt64)
      case .invalid: wire.put(1 as UInt64)
      case .inUse: wire.put(2 as UInt64)
      case .exhausted: wire.put(3 as UInt64)
      case .host(let errno): wire.put(0x1_0000 + UInt64(UInt16(clamping: errno.code)))
      }
      wire.put(list: error.places) { $0.put($1) }
      wire.put(error.why)
      wire.put(error.hint)
    }
    return WorkerMessage.frame(kind, wire.bytes)
  }

  private static func frame(_ kind: UInt8, _ payload: [UInt8]) -> [UInt8] {
    let length = UInt32(clamping: payload.count)
    return [kind] + (0..<4).map { UInt8(truncatingIfNeeded: length >> UInt32(8 * $0)) } + payload
  }

  /// Takes the first frame out of `bytes`, `nil` when it is not there in full.
  static func take(from bytes: inout [UInt8]) throws(ImageError) -> WorkerMessage? {
    guard bytes.count >= 5 else { return nil }
    let length = (0..<4).reduce(0) { $0 | Int(bytes[1 + $1]) << (8 * $1) }
    guard length <= maximumLength else { throw .invalid("the unpack worker sent a message of \(length) bytes") }
    guard bytes.count >= 5 + length else { return nil }
    let kind = bytes[0]
    let payload = Array(bytes[5..<(5 + length)])
    bytes.removeFirst(5 + length)
    switch kind {
    case 1:
      var wire = WireReader(payload)
      return .progress(try wire.number())
    case 2: return .result(payload)
    case 3: return .failure(try error(payload))
    default: throw .invalid("the unpack worker sent a message of unknown kind \(kind)")
    }
  }

  /// What a worker says went wrong; its words are shown, so control characters are taken out of them.
  private static func error(_ payload: [UInt8]) throws(ImageError) -> ImageError {
    var wire = WireReader(payload)
    let code = try wire.number()
    let places = try wire.list { (wire) throws(ImageError) in printable(try wire.data().prefix(4096)) }
    let why = printable(try wire.data().prefix(4096))
    let hint = printable(try wire.data().prefix(4096))
    let kind: ImageError.Kind =
      switch code {
      case 0: .notFound
      case 2: .inUse
      case 3: .exhausted
      case 0x1_0000...: .host(Errno("worker", code: Int32(truncatingIfNeeded: code & 0xffff)))
      default: .invalid
      }
    return ImageError(kind, places: Array(places.prefix(8)), why: why, hint: hint)
  }

  static func == (left: WorkerMessage, right: WorkerMessage) -> Bool { left.frame == right.frame }
}
