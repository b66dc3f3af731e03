import HTTP1
import Images

@testable import Registry

/// What registries say: the first byte chooses the reader.
func fuzzRegistry(_ bytes: [UInt8]) {
  var dice = Dice(bytes)
  switch dice.below(6) {
  case 0: answers(dice.byte(), dice.rest)
  case 1: challenges(dice.rest)
  case 2: manifests(dice.byte(), dice.rest)
  case 3: tokens(dice.rest)
  case 4: addresses(dice.rest)
  default: values(dice.rest)
  }
}

/// However an answer is split, the same comes out.
private func answers(_ seed: UInt8, _ bytes: [UInt8]) {
  func read(_ pieces: [[UInt8]]) -> (ReplyHead, [UInt8])? {
    var reader = ReplyReader()
    var body: [UInt8] = []
    do throws(RegistryError) {
      for piece in pieces { body += try reader.take(piece) }
    } catch {
      return nil
    }
    return reader.head.map { ($0, body) }
  }
  let whole = read([bytes])
  let split = read(pieces(bytes, seed: seed))
  promise(whole?.0 == split?.0 && whole?.1 == split?.1, "another meaning in other pieces")
  promise((whole?.1.count ?? 0) <= bytes.count, "more body than bytes")
  guard let head = whole?.0 else { return }
  var request = CurlRequest(url: "https://reg.example.com/v2/x", mayBePlain: false, maximumBytes: 1)
  request.authorization = "secret"
  guard let next = try? Redirect.next(after: head, of: request, count: 0) else { return }
  let (from, to) = (WebAddress(request.url.utf8), WebAddress(next.url.utf8))
  guard let from, let to else { return promise(false, "a redirect to what is no URL") }
  promise(to.isSecure && (to.hasOrigin(of: from) || next.authorization == nil), "a credential that goes elsewhere")
  configuration(next)
}

private func challenges(_ bytes: [UInt8]) {
  for challenge in AuthenticationChallenge.read([bytes]) {
    promise(challenge.parameters.allSatisfy { $0.value.allSatisfy(ASCII.isFieldByte) }, "a value that no field has")
    guard let request = try? TokenRequest(challenge, repository: "a/b") else { continue }
    promise(WebAddress(request.url.utf8)?.hasOrigin(of: request.server) == true, "a URL that leads elsewhere")
    configuration(CurlRequest(url: request.url, mayBePlain: false, maximumBytes: 1))
  }
}

private func manifests(_ type: UInt8, _ bytes: [UInt8]) {
  let announced = Int(type) < RemoteManifest.accepted.count ? RemoteManifest.accepted[Int(type)] : nil
  guard let document = try? RemoteManifest(bytes, announced: announced, expected: nil) else { return }
  switch document.content {
  case .image(let manifest): promise(manifest.layers.count <= Budgets().layers, "too many layers")
  case .index(let entries):
    guard let chosen = try? RemoteManifest.choose(entries, for: .host) else { return }
    promise(chosen.platform.map { Platform.host.suits($0) > 0 } ?? true, "an image for another platform")
  }
}

private func tokens(_ bytes: [UInt8]) {
  guard let token = try? BearerToken(answer: bytes, now: 0) else { return }
  var request = CurlRequest(url: "https://x/", mayBePlain: false, maximumBytes: 1)
  request.authorization = "Bearer " + token.value
  configuration(request)
}

private func addresses(_ bytes: [UInt8]) {
  guard let address = WebAddress(bytes) else { return }
  promise(WebAddress(address.text.utf8) == address, "another address when it is read again")
  promise(!address.authority.utf8.contains(UInt8(ascii: "@")), "a user in an address")
}

/// Whatever a value is, it is one line of the configuration, or refused.
private func values(_ bytes: [UInt8]) {
  var request = CurlRequest(url: "https://x/", mayBePlain: false, maximumBytes: 1)
  request.authorization = String(decoding: bytes, as: UTF8.self)
  configuration(request)
}

private func configuration(_ request: CurlRequest) {
  guard let text = try? request.configuration() else { return }
  for line in text.split(separator: UInt8(ascii: "\n")) {
    guard let quote = line.firstIndex(of: UInt8(ascii: "\"")) else { continue }
    var rest = line[(quote + 1)...]
    while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
      if byte == UInt8(ascii: "\\") { _ = rest.popFirst() }
    }
    promise(rest.isEmpty && line.last == UInt8(ascii: "\""), "a value that leaves its quotes")
  }
  let lines = text.split(separator: UInt8(ascii: "\n"))
  promise(lines.filter { $0.starts(with: "url = ".utf8) }.count == 1, "another URL")
}
