import Glibc
import HTTP1
import Images
import LinuxKernel

/// One ACI on its way from a web server into a file, gone on with where it was cut, also by the next pull: as long as the server
/// says that it has the same still (`If-Range`, RFC 9110). Nobody has told its digest before.
struct AppcDownload {
  private let address: WebAddress
  private let access: RegistryAccess
  private let curl: CurlProgram
  private let interruption: Int32?
  private let tell: (PullProgress) -> Void

  private static let refusalBytes = 64 << 10
  /// What a server calls a version of a file is short.
  private static let validatorBytes = 256

  init(
    _ address: WebAddress, access: RegistryAccess, interruption: Int32?, tell: @escaping (PullProgress) -> Void
  ) throws(RegistryError) {
    self.address = address
    self.access = access
    self.interruption = interruption
    self.tell = tell
    curl = try CurlProgram(
      environment: access.environment, certificateFile: access.certificates, launcher: access.launcher)
  }

  /// Fetches it; false when the server has none.
  ///
  /// - Parameter size: how long it must be, where that is known.
  func run(into path: String, size: UInt64?) throws(RegistryError) -> Bool {
    var failures = 0
    var hasAnswered = false
    while true {
      do throws(RegistryError) {
        return try attempt(path, size: size, hasAnswered: &hasAnswered)
      } catch {
        failures += 1
        // Who has never answered is not there.
        guard hasAnswered || error.trait != .unreachable, let pause = access.retries.pause(after: failures, error)
        else { throw error }
        tell(.retrying(what: address.text, why: error.why, milliseconds: pause))
        try TransferWait.pause(milliseconds: pause, interruption)
      }
    }
  }

  /// The file as it grows, and what the server has called it.
  private struct Growing: ~Copyable {
    let path: String
    let file: FileDescriptor
    var received: UInt64 = 0
    var validator: String?

    var note: String { path + ".version" }
  }

  private func open(_ path: String) throws(RegistryError) -> Growing {
    let file = try kernel("open \(path)") { () throws(Errno) in
      try openFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
    }
    let size = try kernel("look at \(path)") { () throws(Errno) in try status(of: file.rawValue).size }
    var growing = Growing(path: path, file: file)
    let note = try? readRegularFile(growing.note, limit: AppcDownload.validatorBytes)
    guard size > 0, let note, let validator = String(validating: note, as: UTF8.self) else {
      try restart(&growing)
      return growing
    }
    (growing.received, growing.validator) = (size, validator)
    return growing
  }

  private func restart(_ growing: inout Growing) throws(RegistryError) {
    (growing.received, growing.validator) = (0, nil)
    try kernel("empty \(growing.path)") { () throws(Errno) in
      do throws(Errno) { try removeFile(growing.note) } catch  where error.code == ENOENT {}
      try truncate(growing.file, to: 0)
    }
  }

  /// What tells this version from others: a strong entity tag, else the time of its last change, when that was before the
  /// answer (RFC 9110, 8.8.2.2): within one second there may be two versions.
  private static func validator(_ head: ReplyHead) -> String? {
    let tag = head.value("etag").flatMap { $0.first == UInt8(ascii: "\"") ? $0 : nil }
    let changed = head.value("last-modified").flatMap { $0 == head.value("date") ? nil : $0 }
    guard let value = tag ?? changed, (1...validatorBytes).contains(value.count),
      value.allSatisfy({ (0x20..<0x7f).contains($0) })
    else { return nil }
    return String(decoding: value, as: UTF8.self)
  }

  private func attempt(_ path: String, size: UInt64?, hasAnswered: inout Bool) throws(RegistryError) -> Bool {
    let limit = size ?? Budgets().compressedBytes
    var growing = try open(path)
    var request = CurlRequest(
      url: address.text, mayBePlain: !address.isSecure, maximumBytes: max(limit, UInt64(AppcDownload.refusalBytes)))
    request.isDirect = WebAddress.isLoopback(address.authority)
    request.timeouts = access.timeouts
    request.offset = growing.received
    if let validator = growing.validator { request.headers = ["If-Range: " + validator] }
    let space = SpaceGuard(of: growing.file.rawValue, reserve: Budgets().reservedBytes)
    let transfer = try Transfer(request, curl)
    defer { transfer.stop() }
    var isExamined = false
    var refused: [UInt8] = []
    while true {
      switch try transfer.take() {
      case nil: try TransferWait.wait([transfer.descriptor], interruption, milliseconds: 60_000)
      case .body(let bytes):
        guard let head = transfer.head, !bytes.isEmpty else { continue }
        hasAnswered = true
        if !isExamined { try examine(head, &growing) }
        isExamined = true
        guard head.status == 200 || head.status == 206 else {
          if refused.count < AppcDownload.refusalBytes { refused += bytes }
          continue
        }
        guard growing.received + UInt64(bytes.count) <= limit else {
          try restart(&growing)
          throw .invalid("more than \(limit) bytes came")
        }
        let offset = Int64(growing.received)
        try kernel("write \(path)") { () throws(Errno) in try growing.file.writeAll(Array(bytes), at: offset) }
        growing.received += UInt64(bytes.count)
        try Registry.store { () throws(ImageError) in try space.check(growing.received) }
      case .end(let error):
        guard let head = transfer.head else { throw error ?? .invalid("the answer is no HTTP") }
        hasAnswered = true
        if head.status == 404 { return false }
        if head.status == 416 {
          // Of what is the same still, all has come.
          if AppcDownload.hasAll(head, growing.received) { return true }
          try restart(&growing)
          throw RegistryError(.unavailable, why: "it has become shorter meanwhile", mayPass: true)
        }
        guard head.status == 200 || head.status == 206 else { throw RegistryRefusal.error(head, body: refused) }
        if !isExamined { try examine(head, &growing) }
        if let error { throw error }
        if let size, growing.received != size {
          let received = growing.received
          try restart(&growing)
          throw .invalid("\(received) bytes came, and \(size) are stated of it")
        }
        return true
      }
    }
  }

  /// Whether the answer begins where we want to go on, and what it is called.
  private func examine(_ head: ReplyHead, _ growing: inout Growing) throws(RegistryError) {
    switch head.status {
    case 200:
      try restart(&growing)
      guard let validator = AppcDownload.validator(head) else { return }
      growing.validator = validator
      try kernel("write \(growing.note)") { () throws(Errno) in
        try writeFileAtomically(growing.note, Array(validator.utf8), mode: 0o600)
      }
    case 206:
      let range = head.value("content-range") ?? []
      let prefix = Array("bytes \(growing.received)-".utf8)
      guard growing.received > 0, ASCII.lowercased(range).starts(with: prefix) else {
        try restart(&growing)
        throw RegistryError(
          .unavailable, why: "another part came than the one that is missing (\(printable(range.prefix(80))))",
          mayPass: true)
      }
    default: break
    }
  }

  /// `Content-Range: bytes */LENGTH`.
  private static func hasAll(_ head: ReplyHead, _ received: UInt64) -> Bool {
    head.value("content-range")?.elementsEqual("bytes */\(received)".utf8) ?? false
  }
}
