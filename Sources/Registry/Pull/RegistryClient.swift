import Images
import LinuxKernel

/// One registry's repository, asked for documents: who we are, which scheme is spoken, and what is asked for again are
/// settled here, for blobs as well.
package final class RegistryClient {
  let access: RegistryAccess
  let repository: String
  let interruption: Int32?
  private let curl: CurlProgram
  private(set) var endpoint: RegistryEndpoint
  private var authenticator: Authenticator
  private let tell: (PullProgress) -> Void
  /// Whether the registry has ever answered: if not, nobody is there and asking again helps nothing.
  private var hasAnswered = false

  /// - Parameters:
  ///   - interruption: whatever is done ends when this can be read.
  ///   - tell: what there is to say meanwhile.
  package init(
    _ reference: ImageReference, access: RegistryAccess, interruption: Int32?, tell: @escaping (PullProgress) -> Void
  ) throws(RegistryError) {
    self.access = access
    self.interruption = interruption
    self.tell = tell
    repository = reference.repository
    endpoint = try RegistryEndpoint(
      registry: reference.registry, mirror: access.mirror, plainHTTP: access.plainHTTP)
    authenticator = Authenticator(access: access, endpoint: endpoint, repository: reference.repository)
    curl = try CurlProgram(
      environment: access.environment, certificateFile: access.certificates, launcher: access.launcher)
  }

  /// Registry and repository, as messages name them.
  package var place: String { "\(endpoint.authority)\(endpoint.prefix)/\(repository)" }

  /// The digest that a reference has now, which is that of what the registry gives for it, and so what it may be pinned by.
  package func resolve(_ reference: ImageReference) throws(RegistryError) -> Digest {
    do throws(RegistryError) { return try manifest(reference).digest } catch {
      throw error.at(place).during("resolve \(reference)")
    }
  }

  /// The document that the registry has for the reference: of a tag whatever it means now, of a digest that and no other.
  func manifest(_ reference: ImageReference) throws(RegistryError) -> RemoteManifest {
    let name = reference.digest?.description ?? reference.tag ?? "latest"
    return try manifest(name, expected: reference.digest, announced: nil, size: nil)
  }

  /// The document that an index led to.
  func manifest(_ descriptor: Descriptor) throws(RegistryError) -> RemoteManifest {
    try manifest(
      descriptor.digest.description, expected: descriptor.digest, announced: descriptor.mediaType, size: descriptor.size
    )
  }

  private func manifest(_ name: String, expected: Digest?, announced: String?, size: UInt64?) throws(RegistryError)
    -> RemoteManifest
  {
    do throws(RegistryError) {
      let accepted = RemoteManifest.accepted.joined(separator: ", ")
      let (head, bytes) = try document(
        "\(repository)/manifests/\(name)", accept: accepted, maximumBytes: UInt64(Budgets().documentBytes))
      if let size, UInt64(bytes.count) != size {
        throw .invalid("\(bytes.count) bytes came, and \(size) are announced")
      }
      let document = try RemoteManifest(bytes, announced: announced ?? head.mediaType, expected: expected)
      // What the registry calls it must be what it is, or whoever pins it by that would never find it again.
      if let stated = head.value("docker-content-digest"), let digest = Digest(stated), digest != document.digest {
        throw .invalid("the registry says that its digest is \(digest), and it is \(document.digest)")
      }
      return document
    } catch {
      throw error.at("manifest \(name)")
    }
  }

  /// A blob that is small enough to be kept in memory: an image's configuration.
  func blob(_ descriptor: Descriptor) throws(RegistryError) -> [UInt8] {
    do throws(RegistryError) {
      let limit = UInt64(Budgets().documentBytes)
      guard descriptor.size <= limit else { throw .invalid("\(descriptor.size) bytes, more than \(limit)") }
      let (_, bytes) = try document(
        "\(repository)/blobs/\(descriptor.digest)", accept: nil, maximumBytes: max(descriptor.size, 64 << 10))
      guard UInt64(bytes.count) == descriptor.size else {
        throw .invalid("\(bytes.count) bytes came, and \(descriptor.size) are announced")
      }
      let digest = SHA256.digest(of: bytes)
      guard digest == descriptor.digest else {
        throw .invalid("what came has the digest \(digest), and \(descriptor.digest) was asked for")
      }
      return bytes
    } catch {
      throw error.at("configuration \(descriptor.digest.short)")
    }
  }

  private func document(_ path: String, accept: String?, maximumBytes: UInt64) throws(RegistryError)
    -> (ReplyHead, [UInt8])
  {
    var hasShown = false
    return try again { () throws(RegistryError) in
      while true {
        var request = self.request(path, maximumBytes: maximumBytes, authorization: try self.authorization())
        if let accept { request.headers = ["Accept: " + accept] }
        request.timeouts.whole = 120
        let (head, body) = try self.exchange(request)
        if head.status == 200 { return (head, body) }
        if head.status == 401 {
          let isFirst = !hasShown
          hasShown = true
          if try self.answer(head, isFirst: isFirst) { continue }
        }
        throw self.refusal(head, body)
      }
    }
  }

  /// What an answer that is no success means, here.
  func refusal(_ head: ReplyHead, _ body: [UInt8]) -> RegistryError {
    let error = RegistryRefusal.error(head, body: body)
    guard error.kind == .denied, let heldBack = authenticator.heldBack ?? authenticator.warning else { return error }
    return RegistryError(.denied, why: error.why, hint: heldBack)
  }

  /// A request of this registry, to be started.
  func request(_ path: String, maximumBytes: UInt64, authorization: String?) -> CurlRequest {
    var request = CurlRequest(
      url: endpoint.url(path), mayBePlain: endpoint.scheme == .http, maximumBytes: maximumBytes)
    request.authorization = authorization
    request.isDirect = endpoint.isLoopback
    request.timeouts = access.timeouts
    return request
  }

  /// What shows who we are; fresh, as far as that is known.
  func authorization() throws(RegistryError) -> String? {
    // On a copy: what asks for a token is this object again.
    var current = authenticator
    defer { authenticator = current }
    return try current.header(interruption) { (request) throws(RegistryError) in try self.token(request) }
  }

  /// Answers a 401; false when there is nothing better to show.
  func answer(_ head: ReplyHead, isFirst: Bool) throws(RegistryError) -> Bool {
    var current = authenticator
    defer {
      if let warning = current.warning, authenticator.warning == nil { tell(.warning(warning)) }
      authenticator = current
    }
    return try current.answer(head, isFirst: isFirst, interruption) { (request) throws(RegistryError) in
      try self.token(request)
    }
  }

  private func token(_ token: TokenRequest) throws(RegistryError) -> [UInt8] {
    do throws(RegistryError) {
      return try again(isRegistry: false) { () throws(RegistryError) in
        var request = CurlRequest(
          url: token.form == nil ? token.url : token.formURL, mayBePlain: !token.server.isSecure,
          maximumBytes: 1 << 20)
        request.authorization = token.authorization
        request.form = token.form
        request.isDirect = WebAddress.isLoopback(token.server.authority)
        request.timeouts = access.timeouts
        request.timeouts.whole = 60
        let (head, body) = try exchange(request)
        guard head.status == 200 else { throw RegistryRefusal.error(head, body: body) }
        return body
      }
    } catch {
      throw error.final
    }
  }

  func start(_ request: CurlRequest) throws(RegistryError) -> Transfer { try Transfer(request, curl) }

  /// Notes what an answer or a failure says of the registry. True when the same is to be asked in another scheme.
  func learn(_ failure: RegistryError?) -> Bool {
    // Who names the authorities to believe means TLS.
    if failure?.trait == .noTLS, endpoint.scheme == .either, access.certificates == nil {
      endpoint.hasFallenBack = true
      settle(.http)
      return true
    }
    if failure?.trait == nil {
      hasAnswered = true
      if endpoint.scheme == .either { settle(.https) }
    }
    return false
  }

  private func settle(_ scheme: RegistryEndpoint.Scheme) {
    endpoint.scheme = scheme
    authenticator = Authenticator(access: access, endpoint: endpoint, repository: repository)
  }

  /// The pause before the same is asked again, said to who watches; `nil` when it is enough.
  func pause(after failures: Int, _ error: RegistryError, _ what: String) -> UInt64? {
    guard hasAnswered || error.trait != .unreachable, let pause = access.retries.pause(after: failures, error) else {
      return nil
    }
    tell(.retrying(what: what, why: error.why, milliseconds: pause))
    return pause
  }

  private func exchange(_ request: CurlRequest) throws(RegistryError) -> (ReplyHead, [UInt8]) {
    let transfer = try start(request)
    var body: [UInt8] = []
    // curl has its own clock, and may be stopped.
    let end = request.timeouts.whole.map { Clock.now + UInt64($0 + 5) * 1_000_000_000 } ?? .max
    while true {
      guard Clock.now < end else {
        transfer.stop()
        throw RegistryError(.unavailable, why: "it takes too long", mayPass: true)
      }
      switch try transfer.take() {
      case .body(let piece): body += piece
      case .end(let error):
        if let error { throw error }
        guard let head = transfer.head else { throw .invalid("the answer is no HTTP") }
        return (head, body)
      case nil: try TransferWait.wait([transfer.descriptor], interruption, milliseconds: 5000)
      }
    }
  }

  /// - Parameter isRegistry: whether it is the registry that is asked, so that how it answers says something of it.
  private func again<T>(isRegistry: Bool = true, _ body: () throws(RegistryError) -> T) throws(RegistryError) -> T {
    var failures = 0
    while true {
      do throws(RegistryError) {
        let result = try body()
        if isRegistry { _ = learn(nil) }
        return result
      } catch {
        if isRegistry, learn(error) { continue }
        failures += 1
        guard let pause = pause(after: failures, error, place) else { throw error }
        try TransferWait.pause(milliseconds: pause, interruption)
      }
    }
  }
}
