import LinuxKernel
import Testing

@testable import Registry

@Suite struct TransportTests {
  @Test func aRequestIsAConfigurationForCurl() throws {
    var request = CurlRequest(url: "https://x/v2/", mayBePlain: false, maximumBytes: 7)
    request.headers = ["Accept: a, b"]
    request.authorization = #"Basic a"b\c"#
    request.offset = 5
    let lines = String(decoding: try request.configuration(), as: UTF8.self).split(separator: "\n")
    for line in [
      #"url = "https://x/v2/""#, #"header = "Accept: a, b""#, #"header = "Authorization: Basic a\"b\\c""#,
      #"range = "5-""#, #"proto = "=https""#, #"max-filesize = "7""#, "globoff",
    ] {
      #expect(lines.contains { $0 == line }, "\(line)")
    }
    #expect(!lines.contains { $0.contains("location") || $0.contains("insecure") || $0.contains("noproxy") })
  }

  @Test(arguments: ["a\nb", "a\rb", "a\0b", "a\tb", "\u{7f}", "a\r\nurl = \"file:///etc/shadow\""])
  func noValueLeavesItsQuotes(value: String) {
    #expect(throws: RegistryError.self) { try CurlRequest.quoted(value) }
    for change in [
      { (request: inout CurlRequest) in request.authorization = value },
      { (request: inout CurlRequest) in request.headers = [value] },
      { (request: inout CurlRequest) in request.form = value },
    ] {
      var request = CurlRequest(url: "https://x/", mayBePlain: false, maximumBytes: 7)
      change(&request)
      #expect(throws: RegistryError.self) { try request.configuration() }
    }
  }

  /// As curl's reader undoes it (curl(1), `--config`).
  @Test func whatIsQuotedIsReadAsItWas() throws {
    for value in [#"a"b"#, #"\"#, #"\n\t\x"#, #"" url = "x"#, "#c", "é=;'`$(x)", #"\\""\""#] {
      let quoted = Array(try CurlRequest.quoted(value).utf8)
      // A backslash stands before what is meant.
      var plain: [UInt8] = []
      var rest = quoted.dropFirst().dropLast()
      while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "\\") {
          let next = rest.popFirst()
          #expect(next == UInt8(ascii: "\\") || next == UInt8(ascii: "\""))
          if let next { plain.append(next) }
        } else {
          #expect(byte != UInt8(ascii: "\""))
          plain.append(byte)
        }
      }
      #expect(plain == Array(value.utf8))
    }
  }

  private func read(_ pieces: [String]) throws -> (ReplyHead?, String) {
    var reader = ReplyReader()
    var body: [UInt8] = []
    for piece in pieces { body += try reader.take(Array(piece.utf8)) }
    return (reader.head, String(decoding: body, as: UTF8.self))
  }

  @Test func headsAreToldFromTheBody() throws {
    let stream =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
      + "HTTP/2 200 \r\nContent-Type: Text/Plain; charset=x\r\nX-A:  b \r\n\r\nHTTP/1.1 404 body\r\n\r\nrest"
    let (head, body) = try read([stream])
    #expect(head?.status == 200 && head?.mediaType == "text/plain" && head?.value("x-a") == Array("b".utf8))
    #expect(body == "HTTP/1.1 404 body\r\n\r\nrest")
    let (same, slow) = try read(stream.utf8.map { String(decoding: [$0], as: UTF8.self) })
    #expect(same == head && slow == body)
    // Where that leads is for others to say.
    #expect(try read(["HTTP/1.1 301 Moved\r\n\r\nx"]).0?.status == 301)
    #expect(try read(["HTTP/1.1 304 Same\r\nLocation: x\r\n\r\n"]).0?.status == 304)
    #expect(try read(["HTTP/1.1 200 OK\nA: b\n\nx"]).1 == "x")
    #expect(try read(["HTTP/1.1 200 OK\r\nA: b"]).0 == nil)
  }

  @Test(arguments: [
    "\r\n\r\n", "x\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n", "HTTP/1.1 2000 x\r\n\r\n",
    "HTTP/1.1 +20 x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\n: x\r\n\r\n", "HTTP/1.1 200 OK\r\na b: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\n" + String(repeating: "a: b\r\n", count: 129) + "\r\n",
    "HTTP/1.1 200 OK\r\nA: " + String(repeating: "x", count: 70_000),
    String(repeating: "HTTP/1.1 100 x\r\n\r\n", count: 5000),
  ])
  func whatIsNoAnswerIsRefused(stream: String) { #expect(throws: RegistryError.self) { try read([stream]) } }

  @Test(arguments: [
    (6, RegistryError.Kind.unavailable, "resolved"), (7, .unavailable, "no connection"), (28, .unavailable, "too long"),
    (18, .unavailable, "broke"), (35, .unavailable, "TLS"), (60, .unavailable, "certificate"),
    (63, .invalid, "longer than 9 bytes"), (1, .invalid, "neither HTTP nor HTTPS"), (127, .configuration, "executed"),
    (99, .unavailable, "status 99"),
  ])
  func exitStatusesAreErrors(code: Int32, kind: RegistryError.Kind, word: String) {
    let words = Array("curl: (\(code)) some\u{1b}thing\nmore".utf8)
    let error = CurlExit.error(.exited(code), words: words, maximumBytes: 9)
    #expect(error?.kind == kind && error?.message.contains(word) == true)
    #expect(error?.message.contains("\u{1b}") == false && error?.message.contains("more") == false)
    #expect(CurlExit.error(.exited(0), words: [], maximumBytes: 9) == nil)
    #expect(CurlExit.error(.signaled(9), words: [], maximumBytes: 9)?.kind == .unavailable)
  }

  @Test func aRefusalSaysWhatTheRegistrySays() {
    func error(_ status: Int, _ body: String, _ fields: [(String, String)] = []) -> RegistryError {
      RegistryRefusal.error(
        ReplyHead(status: status, fields: fields.map { (Array($0.0.utf8), Array($0.1.utf8)) }), body: Array(body.utf8))
    }
    let body = #"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown\u001b","detail":{}}]}"#
    #expect(
      error(404, body).kind == .notFound && error(404, body).why.contains("404: MANIFEST_UNKNOWN, manifest unknown"))
    #expect(!error(404, body).why.contains("\u{1b}"))
    #expect(error(401, "").kind == .denied && error(403, "").kind == .denied && !error(403, "").mayPass)
    let busy = error(429, "<html>", [("retry-after", "7")])
    #expect(busy.kind == .unavailable && busy.mayPass && busy.retryAfter == 7 && busy.why.contains("7 s"))
    #expect(error(503, "").mayPass && error(500, "").mayPass && !error(501, "").mayPass)
    #expect(error(418, "").kind == .invalid)
  }
}
