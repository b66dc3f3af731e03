import Testing

@testable import HTTP1

/// What came of a response, however it arrived.
private struct Outcome: Equatable, CustomStringConvertible {
  var heads: [Int] = []
  var body: [UInt8] = []
  var ended = false
  var upgraded = false
  var unread = 0
  var violation: HTTPViolation?
  var description: String {
    "\(heads) \(String(decoding: body, as: UTF8.self)) ended=\(ended) up=\(upgraded) unread=\(unread) "
      + (violation.map { "\($0)" } ?? "")
  }
}

private func parse(
  _ pieces: [[UInt8]], method: String = "GET", upgrade: Bool = false, finish: Bool = true
) -> Outcome {
  var parser = HTTPResponseParser(method: method, upgrade: upgrade)
  var outcome = Outcome()
  func drain() -> Bool {
    do throws(HTTPViolation) {
      while let event = try parser.next() {
        switch event {
        case .interim(let head), .head(let head): outcome.heads.append(head.status)
        case .upgraded(let head):
          outcome.heads.append(head.status)
          outcome.upgraded = true
        case .body(let piece): outcome.body += piece
        case .end: outcome.ended = true
        }
      }
      return true
    } catch {
      outcome.violation = error
      return false
    }
  }
  for piece in pieces {
    parser.feed(piece)
    if !drain() { return outcome }
  }
  if finish {
    parser.finish()
    _ = drain()
  }
  outcome.unread = parser.unread
  return outcome
}

private func parse(_ text: String, method: String = "GET", upgrade: Bool = false, finish: Bool = true) -> Outcome {
  parse([Array(text.utf8)], method: method, upgrade: upgrade, finish: finish)
}

@Suite struct HTTPResponseParserTests {
  static let good: [(String, String)] = [
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
    ("HTTP/1.1 200 \r\ncontent-length:  5  \r\n\r\nhello", "hello"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello"),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0000000A\r\n0123456789\r\n1\r\nx\r\n00\r\n\r\n",
      "0123456789x"
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", "\n"),
    ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"),
    ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok", "ok"),
    ("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nX: \u{e9}\t!\r\n\r\nno.", "no."),
  ]

  @Test(arguments: good) func bodiesAreFoundWhereTheHeadSays(text: String, body: String) {
    let outcome = parse(text)
    #expect(outcome.ended && outcome.violation == nil && outcome.unread == 0, "\(outcome)")
    #expect(outcome.body == Array(body.utf8))
  }

  static let bad: [(String, String)] = [
    (
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "both Transfer-Encoding and Content-Length"
    ),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "more than one Content-Length"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", "a Content-Length that is not a number"),
    ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "a Content-Length that is not a number"),
    ("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", "a Content-Length that is not a number"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "a Content-Length that is not a number"),
    ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "a Content-Length that is not a number"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "a Transfer-Encoding other than chunked"),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      "more than one Transfer-Encoding"
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n", "a header field name that is not a token"),
    ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", "a status line ends in a bare line feed"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n", "a header field ends in a bare line feed"),
    ("HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", "a control character in a header field"),
    ("HTTP/1.1 200 OK\r\nX: a\u{0}b\r\n\r\n", "a control character in a header field"),
    ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "a folded header field"),
    ("HTTP/1.1 200 OK\r\n: a\r\n\r\n", "a header field name that is not a token"),
    ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "a header field without a colon"),
    ("HTTP/1.0 200 OK\r\n\r\n", "the status line does not start with HTTP/1.1"),
    ("\r\nHTTP/1.1 200 OK\r\n\r\n", "the status line does not start with HTTP/1.1"),
    ("HTTP/1.1 2x0 OK\r\n\r\n", "the status line has no status code"),
    ("HTTP/1.1 200\r\n\r\n", "the status line has no status code"),
    ("HTTP/1.1 099 OK\r\n\r\n", "the status line has no status code"),
    ("HTTP/1.1 600 OK\r\n\r\n", "the status line has no status code"),
    ("HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\nx", "a 204 with a body"),
    ("HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n", "an interim response with a body"),
    ("HTTP/1.1 101 Up\r\n\r\n", "101 Switching Protocols, which nobody asked for"),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n",
      "a chunk size that is not 1 to 8 hexadecimal digits"
    ),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
      "a chunk size that is not 1 to 8 hexadecimal digits"
    ),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello",
      "a chunk size that is not 1 to 8 hexadecimal digits"
    ),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nhello",
      "a chunk size that is not 1 to 8 hexadecimal digits"
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n123456789\r\n", "a chunk size of more than 10 bytes"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n", "a chunk size ends in a bare line feed"),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
      "the line end after a chunk of more than 2 bytes"
    ),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nbad\r\n\r\n",
      "a header field without a colon"
    ),
  ]

  @Test(arguments: bad) func whatTwoReadersCouldReadInTwoWaysIsRefused(text: String, rule: String) {
    #expect(parse(text, finish: false).violation == .malformed(rule))
  }

  static let cut: [(String, String)] = [
    ("", "before a response came"),
    ("HTTP/1.1 200 O", "in the head"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "in the head"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "2 bytes before the end of the body"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", "within a chunk"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "where a chunk should start"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "in the trailers"),
  ]

  @Test(arguments: cut) func aResponseThatEndsEarlyIsNeverComplete(text: String, place: String) {
    let outcome = parse(text)
    #expect(outcome.violation == .truncated(place))
    #expect(!outcome.ended)
  }

  @Test func headsAreBounded() {
    func head(_ fields: String) -> String { "HTTP/1.1 200 OK\r\n\(fields)Content-Length: 0\r\n\r\n" }
    let long = String(repeating: "a", count: 8192)
    #expect(parse(head("X: \(long)\r\n")).violation == .malformed("a header field of more than 8192 bytes"))
    #expect(
      parse("HTTP/1.1 200 OK\r\nX: \(long)", finish: false).violation != nil, "without waiting for the end of the line")
    let many = String(repeating: "X: y\r\n", count: 128)
    #expect(parse(head(many)).violation == .malformed("more than 128 header fields"))
    let big = String(repeating: "X: \(String(repeating: "a", count: 8000))\r\n", count: 9)
    #expect(parse(head(big)).violation == .malformed("a head of more than 65536 bytes"))
    #expect(parse(head(String(repeating: "X: y\r\n", count: 127))).ended)
    let trailers = String(repeating: "T: \(String(repeating: "a", count: 1000))\r\n", count: 9)
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\(trailers)\r\n"
    #expect(parse(chunked).violation == .malformed("trailers of more than 8192 bytes"))
    let interim = String(repeating: "HTTP/1.1 103 Early\r\n\r\n", count: 17)
    #expect(parse(interim).violation == .malformed("more than 16 interim responses"))
  }

  @Test(arguments: ["HEAD", "GET"]) func responsesWithoutABodyHaveNone(method: String) {
    let status = method == "HEAD" ? "200 OK\r\nContent-Length: 5" : "304 Not Modified\r\nContent-Length: 5"
    let outcome = parse("HTTP/1.1 \(status)\r\n\r\n", method: method, finish: false)
    #expect(outcome.ended && outcome.body.isEmpty)
  }

  @Test func bytesBehindAResponseAreSeenAndNotTaken() {
    let outcome = parse("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
    #expect(outcome.heads == [204] && outcome.ended)
    #expect(outcome.unread == "HTTP/1.1 200 OK\r\n\r\n".utf8.count)
  }

  @Test func anUpgradedConnectionIsAllBody() {
    let outcome = parse("HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nHTTP/1.1", upgrade: true)
    #expect(outcome.upgraded && outcome.body == Array("HTTP/1.1".utf8) && outcome.ended)
  }

  @Test(arguments: (good + bad + cut).map(\.0)) func splittingTheInputChangesNothing(text: String) {
    let bytes = Array(text.utf8)
    let whole = parse([bytes])
    #expect(parse(bytes.map { [$0] }) == whole, "byte by byte")
    for first in 0...bytes.count {
      let split = parse([Array(bytes[..<first]), Array(bytes[first...])])
      #expect(split == whole, "split at \(first)")
      if bytes.count < 90 {
        for second in first...bytes.count {
          let pieces = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
          if parse(pieces) != whole { Issue.record("split at \(first) and \(second)") }
        }
      }
    }
  }

  @Test func randomBytesNeverTrapAndNeverDependOnTheSplit() {
    var random = SeededGenerator(seed: 20_261_122)
    let seeds = (Self.good + Self.bad + Self.cut).map { Array($0.0.utf8) }
    for round in 0..<4000 {
      var bytes = seeds[Int.random(in: 0..<seeds.count, using: &random)]
      for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: at)
        case 2: bytes.insert([0x0a, 0x0d, 0x3a, 0x30, 0x20].randomElement(using: &random) ?? 0, at: at)
        default: bytes.insert(contentsOf: seeds[Int.random(in: 0..<seeds.count, using: &random)].prefix(40), at: at)
        }
      }
      var pieces: [[UInt8]] = []
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = Int.random(in: 1...rest.count, using: &random)
        pieces.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      let upgrade = Bool.random(using: &random)
      if parse(pieces, upgrade: upgrade) != parse([bytes], upgrade: upgrade) {
        Issue.record("round \(round): \(String(decoding: bytes, as: UTF8.self).debugDescription)")
      }
    }
  }
}
