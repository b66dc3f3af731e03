import Glibc
import HTTP1
import Images
import LinuxKernel

/// One ACI on its way from a web server into a file. What was cut begins anew: nothing says that it is still the same.
struct AppcDownload {
  private let address: WebAddress
  private let access: RegistryAccess
  private let curl: CurlProgram
  private let interruption: Int32?
  private let tell: (PullProgress) -> Void

  private static let refusalBytes = 64 << 10

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

  private func attempt(_ path: String, size: UInt64?, hasAnswered: inout Bool) throws(RegistryError) -> Bool {
    let limit = size ?? Budgets().compressedBytes
    var request = CurlRequest(
      url: address.text, mayBePlain: !address.isSecure, maximumBytes: max(limit, UInt64(AppcDownload.refusalBytes)))
    request.isDirect = WebAddress.isLoopback(address.authority)
    request.timeouts = access.timeouts
    let file = try kernel("open \(path)") { () throws(Errno) in
      try openFile(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
    }
    let space = SpaceGuard(of: file.rawValue, reserve: Budgets().reservedBytes)
    let transfer = try Transfer(request, curl)
    defer { transfer.stop() }
    var received: UInt64 = 0
    var refused: [UInt8] = []
    while true {
      switch try transfer.take() {
      case nil: try TransferWait.wait([transfer.descriptor], interruption, milliseconds: 60_000)
      case .body(let bytes):
        guard let head = transfer.head, !bytes.isEmpty else { continue }
        hasAnswered = true
        guard head.status == 200 else {
          if refused.count < AppcDownload.refusalBytes { refused += bytes }
          continue
        }
        guard received + UInt64(bytes.count) <= limit else { throw .invalid("more than \(limit) bytes came") }
        let offset = Int64(received)
        try kernel("write \(path)") { () throws(Errno) in try file.writeAll(Array(bytes), at: offset) }
        received += UInt64(bytes.count)
        try Registry.store { () throws(ImageError) in try space.check(received) }
      case .end(let error):
        guard let head = transfer.head else { throw error ?? .invalid("the answer is no HTTP") }
        hasAnswered = true
        if head.status == 404 { return false }
        guard head.status == 200 else { throw RegistryRefusal.error(head, body: refused) }
        if let error { throw error }
        if let size, received != size { throw .invalid("\(received) bytes came, and \(size) are stated of it") }
        return true
      }
    }
  }
}
