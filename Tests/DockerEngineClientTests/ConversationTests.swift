import LinuxKernel
import RegistryCredentials
import Testing

@testable import DockerEngineClient

/// What an engine, or something in its place, may say: nothing of it may become a result that is not one.
@Suite struct ConversationTests {
  private static func chunked(_ body: String) -> String {
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
  }

  private static func sized(_ body: String, status: String = "200 OK") -> String {
    "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  /// An engine that answers every request but pings with the same bytes and then hangs up.
  private func engine(saying answer: String) throws -> ScriptedEngine {
    try ScriptedEngine { connection in
      guard let request = connection.request() else { return }
      if request.contains("_ping") {
        connection.reply("200 OK", "", fields: "Api-Version: 1.41\r\nConnection: close\r\n")
      } else {
        connection.send(answer)
      }
    }
  }

  static let badWaits: [(String, String, DockerEngineError.Kind)] = [
    ("an error beside status 0", chunked(#"{"StatusCode":0,"Error":{"Message":"lost track"}}"#), .engine),
    ("an error without a text", chunked(#"{"StatusCode":0,"Error":{}}"#), .engine),
    ("an error that is no object", chunked(#"{"StatusCode":0,"Error":"x"}"#), .decoding),
    ("one key twice", chunked(#"{"StatusCode":137,"StatusCode":0}"#), .decoding),
    ("no status", chunked(#"{"Error":null}"#), .decoding),
    ("null for a status", chunked(#"{"StatusCode":null}"#), .decoding),
    ("text for a status", chunked(#"{"StatusCode":"0"}"#), .decoding),
    ("a status that would become 0 in eight bits", chunked(#"{"StatusCode":256}"#), .decoding),
    ("a huge status", chunked(#"{"StatusCode":99999999999999999999}"#), .decoding),
    ("a negative status", chunked(#"{"StatusCode":-1}"#), .decoding),
    ("a list", chunked("[0]"), .decoding),
    ("two values", chunked(#"{"StatusCode":0}{"StatusCode":1}"#), .decoding),
    ("no JSON", chunked("StatusCode: 0"), .decoding),
    ("nothing", chunked(" "), .decoding),
    ("an empty body", sized(""), .decoding),
    ("half a body", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"StatusCode\":0}", .transport(.body)),
    (
      "half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{\"StatusCode\":0}", .transport(.body)
    ),
    (
      "no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"StatusCode\":0}\r\n",
      .transport(.body)
    ),
    (
      "two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n{\"StatusCode\":0}",
      .protocolViolation
    ),
    ("bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 16\n\n{\"StatusCode\":0}", .protocolViolation),
    ("another protocol", "SSH-2.0-OpenSSH\r\n", .protocolViolation),
    ("a head without end", "HTTP/1.1 200 OK\r\nX: \(String(repeating: "y", count: 9000))", .protocolViolation),
    ("silence", "", .transport(.head)),
    ("not found", sized(#"{"message":"No such container"}"#, status: "404 Not Found"), .http(status: 404)),
    ("a redirect", sized("", status: "301 Moved Permanently"), .http(status: 301)),
  ]

  @Test(arguments: badWaits) func aBadWaitIsNeverAStatus(
    what: String, answer: String, kind: DockerEngineError.Kind
  ) throws {
    let engine = try engine(saying: answer)
    let error = failure { () throws(DockerEngineError) in try client(engine).waitContainer(someID()) }
    #expect(error?.kind == kind, "\(what): \(String(describing: error))")
    #expect(error?.description.utf8.starts(with: "wait for container aaaaaaaaaaaa: POST /v1.41/".utf8) == true)
  }

  @Test func aWaitWithoutAnErrorIsItsStatus() throws {
    for body in [#"{"StatusCode":3}"#, #"{"Error":null,"StatusCode":3}"#, #"{"StatusCode":3,"New":[1]}"#] {
      let engine = try engine(saying: Self.chunked(body))
      #expect(try client(engine).waitContainer(someID()) == 3)
    }
  }

  @Test func aConnectionLostAtAnyByteIsNeverAResult() throws {
    let answer = Array(
      ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "8\r\n{\"Status\r\n8\r\nCode\":0}\r\n0\r\nT: 1\r\n\r\n").utf8)
    for count in 0...answer.count {
      let engine = try ScriptedEngine { connection in
        _ = connection.request()
        connection.send(Array(answer[..<count]))
      }
      let docker = client(engine) { $0.apiVersion = APIVersion(1, 41) }
      if count == answer.count {
        #expect(try docker.waitContainer(someID()) == 0)
      } else {
        let error = failure("cut at \(count)") { () throws(DockerEngineError) in
          try docker.waitContainer(someID())
        }
        guard case .transport = error?.kind else {
          Issue.record("cut at \(count): \(String(describing: error))"); return
        }
      }
    }
  }

  @Test func slowBytesChangeNothing() throws {
    let answer = Self.chunked(#"[{"Id":"\#(someID("b"))","Names":null,"Labels":{"a":"b"},"State":"exited"}]"#)
    let engine = try ScriptedEngine { connection in
      _ = connection.request()
      for byte in answer.utf8 { connection.send([byte]) }
    }
    let list = try client(engine) { $0.apiVersion = APIVersion(1, 41) }.listContainers()
    #expect(list.map(\.id) == [someID("b")] && list[0].labels == ["a": "b"] && list[0].names.isEmpty)
  }

  @Test(arguments: [
    "../../../images/json", String(repeating: "A", count: 64), String(repeating: "a", count: 63),
    String(repeating: "a", count: 65), String(repeating: "a", count: 63) + "/", "",
    String(repeating: "a", count: 62) + "\u{e9}",
  ])
  func anIDThatIsNoneIsNotUsed(id: String) throws {
    let json = "\"\(id)\""
    let create = try engine(saying: Self.sized(#"{"Id":\#(json),"Warnings":[]}"#, status: "201 Created"))
    let error = failure { () throws(DockerEngineError) in
      try client(create).createContainer(ContainerCreateRequest(image: "x"))
    }
    #expect(error?.kind == .decoding)
    let list = try engine(saying: Self.sized(#"[{"Id":\#(json)}]"#))
    #expect(throws: DockerEngineError.self) { try client(list).listContainers() }
  }

  @Test(arguments: ["", "/web", "a/b", "../x", "a\r\nHost: x", "a b", "-a", "a?force=1", "caf\u{e9}"])
  func namesThatCouldBecomeAnotherRequestAreRefused(name: String) throws {
    let engine = try engine(saying: Self.sized("{}"))
    let error = failure { () throws(DockerEngineError) in try client(engine).inspectContainer(named: name) }
    #expect(error?.kind == .invalidRequest)
    #expect(throws: DockerEngineError.self) { try client(engine).inspectVolume(name) }
    #expect(engine.requests.isEmpty)
  }

  @Test(arguments: ["", "../x", "a/../b", "a//b", "a/./b", "a b", "a\r\nb", "/a", "a?x=1", "a#b", "a%2fb"])
  func imageReferencesThatLeaveTheirPathAreRefused(reference: String) throws {
    let engine = try engine(saying: Self.sized("{}"))
    let error = failure { () throws(DockerEngineError) in try client(engine).inspectImage(reference) }
    #expect(error?.kind == .invalidRequest)
    #expect(engine.requests.isEmpty)
  }

  @Test func whatGoesIntoAQueryIsEncoded() throws {
    let engine = try engine(saying: "HTTP/1.1 204 No Content\r\n\r\n")
    try client(engine).killContainer(someID(), signal: "TERM HTTP/1.1\r\nX: y&a=b\u{0}\u{e9}")
    let line = engine.requests.last?.utf8.prefix { $0 != 0x0d }
    #expect(
      line.map { String(decoding: Array($0), as: UTF8.self) }
        == "POST /v1.41/containers/\(someID())/kill?signal=TERM%20HTTP%2F1.1%0D%0AX%3A%20y%26a%3Db%00%C3%A9 HTTP/1.1")
  }

  @Test func aPullThatFailsAfterItsStatusFails() throws {
    for line in [
      #"{"errorDetail":{"code":1,"message":"manifest unknown"},"error":"manifest unknown"}"#,
      #"{"error":"manifest unknown"}"#, #"{"errorDetail":{"message":"manifest unknown"}}"#,
    ] {
      let engine = try engine(
        saying: Self.chunked(#"{"status":"Pulling from x","id":"1"}"# + "\r\n" + line + "\r\n"))
      let pull = try client(engine).pullImage("host:5000/team/app:1.0")
      #expect(try pull.next()?.status == "Pulling from x", "what came before is still given out")
      let error = failure { () throws(DockerEngineError) in try pull.next() }
      #expect(error?.kind == .engine && error?.engineMessage == "manifest unknown")
      #expect(engine.requests.last?.contains("fromImage=host%3A5000%2Fteam%2Fapp&tag=1.0 ") == true)
    }
  }

  @Test func aPullThatIsCutOffFails() throws {
    let engine = try engine(
      saying: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"status\":\"Done\"}\r\n")
    let pull = try client(engine).pullImage("x")
    let error = failure { () throws(DockerEngineError) in while try pull.next() != nil {} }
    #expect(error?.kind == .protocolViolation, "16 bytes were announced and 17 came")
    let cut = try self.engine(
      saying: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n{\"status\":\"Done\"}\n\r\n")
    let second = try client(cut).pullImage("x")
    #expect(try second.next()?.status == "Done")
    let late = failure { () throws(DockerEngineError) in try second.next() }
    #expect(late?.kind == .transport(.body))
  }

  @Test func theEnginesRefusalOfAPullIsAnError() throws {
    let engine = try engine(saying: Self.sized(#"{"message":"pull access denied"}"#, status: "404 Not Found"))
    let error = failure { () throws(DockerEngineError) in try client(engine).pullImage("x").next() }
    #expect(error?.status == 404 && error?.engineMessage == "pull access denied")
  }

  @Test(arguments: [
    ("busybox", "busybox", "latest"), ("busybox:1", "busybox", "1"), ("h:5/a", "h:5/a", "latest"),
    ("h:5/a:b", "h:5/a", "b"), ("a@sha256:12", "a", "sha256:12"), ("h:5/a:b@sha256:12", "h:5/a", "sha256:12"),
  ])
  func referencesAreSplitAsTheEngineTakesThem(reference: String, name: String, tag: String) {
    let split = DockerEngine.split(reference)
    #expect(split.name == name && split.tag == tag)
  }

  @Test func anUploadWaitsForTheEngineAndStopsWhenRefused() throws {
    let archive = [UInt8](repeating: 0x61, count: 300_000)
    let engine = try ScriptedEngine { connection in
      guard let request = connection.request() else { return }
      if request.contains("_ping") {
        connection.reply("200 OK", "", fields: "Api-Version: 1.41\r\nConnection: close\r\n")
      } else if request.contains("/load") {
        connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        let body = connection.read(300_000)
        let line = "{\"stream\":\"Loaded image: got:\(body.count)\\n\"}\n"
        connection.send(Self.chunked(line))
      } else {
        connection.reply("400 Bad Request", #"{"message":"not wanted"}"#)
      }
    }
    let docker = client(engine)
    #expect(try docker.loadImages(.bytes(archive)) == ["got:300000"])
    let error = failure { () throws(DockerEngineError) in
      try docker.putArchive(.bytes(archive), to: "/", in: someID())
    }
    #expect(error?.status == 400 && error?.engineMessage == "not wanted")
  }

  @Test(arguments: [nil, UInt64(200_000)]) func aFileIsUploadedWholeWithAndWithoutALength(length: UInt64?) throws {
    let file = try sealedMemory("archive", (0..<200_000).map { UInt8(truncatingIfNeeded: $0) })
    let engine = try ScriptedEngine { connection in
      _ = connection.request()
      connection.send("HTTP/1.1 100 Continue\r\n\r\n")
      var bytes: [UInt8] = []
      if length != nil {
        bytes = connection.read(200_000)
      } else {
        while true {
          var line: [UInt8] = []
          while line.last != 0x0a { line += connection.read(1) }
          let size = Int(String(decoding: line.dropLast(2), as: UTF8.self), radix: 16) ?? 0
          bytes += connection.read(size)
          _ = connection.read(2)
          if size == 0 { break }
        }
      }
      let right = bytes == (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
      connection.send(Self.chunked("{\"stream\":\"Loaded image: \(right):1\"}\n"))
    }
    let docker = client(engine) { $0.apiVersion = APIVersion(1, 41) }
    #expect(try docker.loadImages(.descriptor(file.rawValue, length: length)) == ["true:1"])
  }

  @Test func outputIsToldApartOrNotAsTheContainerWasMade() throws {
    let frames = MultiplexedStreamReaderTests.frame(1, "out") + MultiplexedStreamReaderTests.frame(2, "err")
    let engine = try ScriptedEngine { connection in
      _ = connection.request()
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n")
      connection.send(frames)
    }
    let docker = client(engine) { $0.apiVersion = APIVersion(1, 41) }
    let plain = try docker.logs(of: someID(), tty: false)
    #expect(try plain.next() == OutputPiece(stream: .standardOutput, bytes: Array("out".utf8)))
    #expect(try plain.next() == OutputPiece(stream: .standardError, bytes: Array("err".utf8)))
    #expect(try plain.next() == nil && plain.isFinished)
    let terminal = try docker.logs(of: someID(), tty: true)
    var bytes: [UInt8] = []
    while let piece = try terminal.next() { bytes += piece.bytes }
    #expect(bytes == frames)
  }

  @Test func anAttachedProcessGetsInputUntilItIsClosed() throws {
    let engine = try ScriptedEngine { connection in
      _ = connection.request()
      connection.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
      let input = connection.read(1 << 20)
      connection.send(MultiplexedStreamReaderTests.frame(1, String(decoding: input, as: UTF8.self)))
    }
    let docker = client(engine) { $0.apiVersion = APIVersion(1, 41) }
    let attached = try docker.attach(to: someID(), tty: false, input: true)
    try attached.output.open()
    #expect(attached.output.isOpen)
    try attached.writeAll(Array("hello ".utf8))
    try attached.writeAll(Array("there".utf8))
    try attached.closeInput()
    #expect(try attached.output.next()?.bytes == Array("hello there".utf8))
    #expect(try attached.output.next() == nil)
    #expect(engine.requests[0].contains("Upgrade: tcp\r\n"))
  }

  @Test func eventsComeAsTheyAreCut() throws {
    let event = #"{"Type":"container","Action":"die","Actor":{"ID":"x","Attributes":{"exitCode":"7"}},"timeNano":5}"#
    let engine = try ScriptedEngine { connection in
      _ = connection.request()
      connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      let text = event + "\n" + event + "\n"
      for byte in text.utf8 { connection.send("1\r\n\(Character(UnicodeScalar(byte)))\r\n") }
      connection.send("0\r\n\r\n")
    }
    let docker = client(engine) { $0.apiVersion = APIVersion(1, 41) }
    let events = try docker.events(since: 1_500_000_000_000_000_007, filters: ["type": ["container"]])
    #expect(try events.next()?.attributes == ["exitCode": "7"])
    #expect(try events.next()?.time == 5)
    #expect(try events.next() == nil)
    #expect(engine.requests[0].contains("since=1500000000.000000007&"))
  }

  @Test func anAnswerThatNeverEndsIsGivenUp() throws {
    let engine = try ScriptedEngine { connection in
      _ = connection.request()
      connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      let piece = "100000\r\n" + String(repeating: " ", count: 0x100000) + "\r\n"
      for _ in 0..<20 { connection.send(piece) }
      connection.hang()
    }
    let error = failure { () throws(DockerEngineError) in
      try client(engine) { $0.apiVersion = APIVersion(1, 41) }.info()
    }
    #expect(error?.kind == .decoding && error?.detail == "a response of more than 16777216 bytes")
  }

  @Test func aPullsSecretIsSentAndNotTold() throws {
    let authorization = RegistryAuthorization(server: "r", secret: .password(user: "u", password: "hunter2"))
    let engine = try ScriptedEngine { connection in
      _ = connection.request()
      connection.reply("500 Internal Server Error", #"{"message":"no"}"#)
    }
    let error = failure { () throws(DockerEngineError) in
      try client(engine) { $0.apiVersion = APIVersion(1, 41) }.pullImage("x", authorization: authorization).next()
    }
    #expect(engine.requests[0].contains("X-Registry-Auth: \(authorization.headerValue)\r\n"))
    #expect(error?.description.contains(authorization.headerValue) == false)
  }
}
