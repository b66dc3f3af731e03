import Glibc
import HTTP1
import Images
import LinuxKernel

/// One blob on its way into a file: counted and hashed as it comes, gone on with where it was cut.
final class BlobDownload {
  let blob: WantedBlob
  private let client: RegistryClient
  private let directory: PullDirectory
  private let file: FileDescriptor
  private let space: SpaceGuard
  private var hash: SHA256?
  /// Bytes that are in the file, and in the hash.
  private(set) var received: UInt64 = 0
  /// The most that `received` ever was: attempts that bring less bring nothing.
  private var highest: UInt64 = 0
  private var failures = 0
  private var hasShown = false
  private var transfer: Transfer?
  private var isExamined = false
  private var refused: [UInt8] = []
  /// Not to be started before this time of `Clock.now`.
  private(set) var notBefore: UInt64 = 0

  /// As much of a refusal is looked at.
  private static let refusalBytes = 64 << 10
  /// Pieces that one takes before the others have their turn.
  private static let turn = 16
  /// What has to come between two failures for the first to be forgotten; of small blobs a hundredth.
  private static let progress: UInt64 = 64 << 10

  /// Takes up what an earlier pull has left of it.
  init(_ blob: WantedBlob, _ client: RegistryClient, into directory: PullDirectory) throws(RegistryError) {
    self.blob = blob
    self.client = client
    self.directory = directory
    let path = directory.partial(blob.digest)
    file = try kernel("open \(path)") { () throws(Errno) in
      try openFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
    }
    // As much stays free as unpacking leaves; others may be fetching as well.
    space = SpaceGuard(of: file.rawValue, reserve: Budgets().reservedBytes)
    hash = SHA256()
    try takeUp()
  }

  private func takeUp() throws(RegistryError) {
    while true {
      let piece = try kernel("read what an earlier pull left") { () throws(Errno) in
        try file.read(upTo: 1 << 20, at: Int64(received))
      }
      if piece.isEmpty { break }
      piece.withUnsafeBytes { hash?.update($0) }
      received += UInt64(piece.count)
      if received > blob.size { return try restart() }
      if received.isMultiple(of: 32 << 20) { try TransferWait.wait([], client.interruption, milliseconds: 0) }
    }
    highest = received
    // Only the rename was missing.
    guard received == blob.size else { return }
    if hash.take()?.finish() == blob.digest { try keep() } else { try restart() }
  }

  /// Whether all of it is there, checked, and in its place.
  private(set) var isComplete = false
  /// How often it was begun from its first byte, after others had come.
  private(set) var beginnings = 0

  var isRunning: Bool { transfer != nil }
  /// Readable when there is something to `advance`.
  var waitsFor: Int32? { transfer?.descriptor }

  func start() throws(RegistryError) {
    // Room for a refusal in words where the blob is smaller, and for all of it where the server knows no ranges.
    var request = client.request(
      "\(client.repository)/blobs/\(blob.digest)",
      maximumBytes: max(blob.size, UInt64(BlobDownload.refusalBytes)),
      authorization: try client.authorization())
    request.offset = received
    isExamined = false
    refused = []
    transfer = try client.start(request)
  }

  /// Takes what there is; true when the blob is complete with it.
  func advance() throws(RegistryError) -> Bool {
    guard let transfer else { return false }
    do throws(RegistryError) {
      for _ in 0..<BlobDownload.turn {
        switch try transfer.take() {
        case nil: return false
        case .body(let bytes): try keep(bytes, transfer)
        case .end(let error): return try end(transfer, error)
        }
      }
      return false
    } catch {
      self.transfer = nil
      try again(after: error)
      return false
    }
  }

  private func keep(_ bytes: ArraySlice<UInt8>, _ transfer: Transfer) throws(RegistryError) {
    guard let head = transfer.head else { return }
    if !isExamined {
      isExamined = true
      try examine(head, transfer.request.offset)
    }
    guard head.status == 200 || head.status == 206 else {
      if refused.count < BlobDownload.refusalBytes { refused += bytes }
      return
    }
    guard received + UInt64(bytes.count) <= blob.size else {
      transfer.stop()
      throw .invalid("more than the announced \(blob.size) bytes came")
    }
    try Registry.store { () throws(ImageError) in try space.check(received) }
    let offset = Int64(received)
    try kernel("write \(directory.partial(blob.digest))") { () throws(Errno) in
      try file.writeAll(Array(bytes), at: offset)
    }
    bytes.withUnsafeBytes { hash?.update($0) }
    received += UInt64(bytes.count)
  }

  /// Whether the answer begins where we want to go on.
  private func examine(_ head: ReplyHead, _ offset: UInt64) throws(RegistryError) {
    if head.status == 200, received > 0 { try restart() }
    guard head.status == 206 else { return }
    let range = head.value("content-range") ?? []
    let prefix = Array("bytes \(offset)-".utf8)
    guard ASCII.lowercased(range).starts(with: prefix) else {
      try restart()
      throw RegistryError(
        .unavailable, why: "another part came than the one from byte \(offset) on (\(printable(range.prefix(80))))",
        mayPass: true)
    }
  }

  private func restart() throws(RegistryError) {
    if received > 0 { beginnings += 1 }
    received = 0
    hash = SHA256()
    try kernel("empty \(directory.partial(blob.digest))") { () throws(Errno) in try truncate(file, to: 0) }
  }

  private func end(_ transfer: Transfer, _ error: RegistryError?) throws(RegistryError) -> Bool {
    self.transfer = nil
    guard let head = transfer.head else { throw error ?? .invalid("the answer is no HTTP") }
    if head.status == 401 {
      let isFirst = !hasShown
      hasShown = true
      if try client.answer(head, isFirst: isFirst) { return false }
    }
    if head.status == 416 { try restart() }
    guard head.status == 200 || head.status == 206 else { throw client.refusal(head, refused) }
    hasShown = false
    if let error { throw error }
    guard received == blob.size else {
      throw RegistryError(
        .unavailable, why: "\(received) bytes came, and \(blob.size) are announced", mayPass: true)
    }
    let digest = hash.take()?.finish()
    guard digest == blob.digest else {
      try restart()
      throw .invalid(
        "what came has the digest \(digest.map(\.description) ?? "unknown"), and \(blob.digest) was asked for",
        hint: "the registry, or something on the way to it, has changed it")
    }
    try keep()
    return true
  }

  private func keep() throws(RegistryError) {
    try kernel("keep the blob \(blob.digest.short)") { () throws(Errno) in
      try rename(directory.partial(blob.digest), to: directory.blob(blob.digest))
    }
    isComplete = true
  }

  /// Has it asked for again when that may help; else throws.
  private func again(after error: RegistryError) throws(RegistryError) {
    if client.learn(error) { return }
    // A registry that gives a few bytes each time is one that fails.
    if received >= highest + min(BlobDownload.progress, blob.size / 100) {
      failures = received > highest ? 1 : failures + 1
      highest = received
    } else {
      failures += 1
    }
    guard let pause = client.pause(after: failures, error, "layer \(blob.digest.short)") else { throw error }
    notBefore = Clock.now + pause * 1_000_000
  }

  func stop() { transfer?.stop() }
}
