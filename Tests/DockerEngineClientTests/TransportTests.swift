import LinuxKernel
import Testing

@testable import DockerEngineClient

/// 64 digits that are an id.
func someID(_ digit: Character = "a") -> ContainerID {
  ContainerID(String(repeating: digit, count: 64)).unsafelyUnwrapped
}

/// A client of a scripted engine whose limits are short enough for tests.
func client(_ engine: ScriptedEngine, _ change: (inout DockerEngine.Configuration) -> Void = { _ in }) -> DockerEngine {
  var configuration = DockerEngine.Configuration(socketPath: engine.path)
  configuration.deadlines.connect = .seconds(10)
  configuration.deadlines.head = .seconds(20)
  configuration.deadlines.idle = .seconds(20)
  change(&configuration)
  return DockerEngine(configuration)
}

/// The error of `body`, which must fail.
func failure(
  _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws(DockerEngineError) -> some Any
) -> DockerEngineError? {
  #expect(throws: DockerEngineError.self, comment, sourceLocation: sourceLocation) { _ = try body() }
}

@Suite struct TransportTests {
  @Test func requestsShareAConnectionAndCarryTheAgreedVersion() throws {
    let engine = try ScriptedEngine.speaking { connection, _ in connection.reply("200 OK", "[]") }
    let docker = client(engine)
    #expect(try docker.listContainers().isEmpty)
    #expect(try docker.listImages(filters: ["label": ["a=b&c"]]).isEmpty)
    #expect(try docker.apiVersion() == APIVersion(1, 41))
    let lines = engine.requests.map { $0.prefix { $0 != "\r\n" } }
    #expect(
      lines == [
        "GET /_ping HTTP/1.1", "GET /v1.41/containers/json?all=1 HTTP/1.1",
        "GET /v1.41/images/json?digests=1&filters=%7B%22label%22%3A%5B%22a%3Db%26c%22%5D%7D HTTP/1.1",
      ])
  }

  @Test(arguments: [("1.40", "1.40"), ("1.51", "1.51"), ("1.99", "1.51")])
  func theNewestCommonVersionIsUsed(offered: String, used: String) throws {
    let engine = try ScriptedEngine.speaking(version: offered) { connection, request in
      connection.reply("200 OK", #"{"Version":"1","ApiVersion":"\#(offered)","MinAPIVersion":"1.24"}"#)
    }
    #expect(try client(engine).apiVersion().description == used)
  }

  @Test(arguments: [("1.39", "1.39"), ("1.99", "1.60")])
  func versionsThatDoNotMeetAreBothNamed(offered: String, named: String) throws {
    let engine = try ScriptedEngine.speaking(version: offered) { connection, _ in
      connection.reply("200 OK", #"{"Version":"1","ApiVersion":"1.99","MinAPIVersion":"1.60"}"#)
    }
    let error = failure { () throws(DockerEngineError) in try client(engine).listContainers() }
    #expect(error?.kind == .versionMismatch)
    #expect(error?.description.contains(named) == true && error?.description.contains("1.40 to 1.51") == true)
  }

  @Test func aVersionThatWasAskedForIsNotNegotiated() throws {
    let engine = try ScriptedEngine { connection in
      _ = connection.request()
      connection.reply("200 OK", "[]")
    }
    _ = try client(engine) { $0.apiVersion = APIVersion(1, 43) }.listContainers()
    #expect(engine.requests.count == 1 && engine.requests[0].contains("GET /v1.43/containers"))
  }

  @Test func refusalsShowStatusAndTheEnginesWords() throws {
    let engine = try ScriptedEngine.speaking { connection, _ in
      connection.reply("409 Conflict", #"{"message":"The name \"/web\" is in use"}"#)
    }
    let error = failure { () throws(DockerEngineError) in
      try client(engine).createContainer(ContainerCreateRequest(image: "x"), name: "web")
    }
    #expect(error?.status == 409)
    #expect(error?.engineMessage == "The name \"/web\" is in use")
    #expect(
      error?.description
        == "create container web: POST /v1.41/containers/create on \(engine.path): "
        + "409 Conflict: The name \"/web\" is in use")
  }

  @Test(arguments: ["<html>Bad Gateway</html>", "", "{\"message\":", "\u{1b}[2Jx"])
  func aRefusalIsNeverADecodingError(body: String) throws {
    let engine = try ScriptedEngine.speaking { connection, _ in connection.reply("502 Bad Gateway", body) }
    let error = failure { () throws(DockerEngineError) in try client(engine).info() }
    #expect(error?.status == 502)
    #expect(error?.description.utf8.contains(0x1b) == false)
  }

  @Test(arguments: [true, false]) func anUnsolicitedResponseNeverAnswersTheNextRequest(atOnce: Bool) throws {
    let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n[{\"Id\":\"smuggled\"}]"
    let engine = try ScriptedEngine { connection in
      while let request = connection.request() {
        if request.contains("_ping") {
          let reply = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 0\r\n\r\n"
          connection.send(atOnce ? reply + smuggled : reply)
          if !atOnce { connection.send(smuggled) }
        } else {
          connection.reply("200 OK", "[]")
        }
      }
    }
    let docker = client(engine)
    _ = try docker.apiVersion()
    if !atOnce { pause(milliseconds: 100) }
    #expect(try docker.listContainers().isEmpty)
  }

  @Test func aStaleConnectionIsReplacedForRequestsThatMayBeRepeated() throws {
    let engine = try ScriptedEngine { connection in
      // Each connection answers once, promises to stay, and reads the next request only to hang up on it.
      if connection.request() != nil {
        connection.reply("200 OK", "", fields: "Api-Version: 1.41\r\n")
        _ = connection.request()
      }
    }
    let docker = client(engine)
    _ = try docker.ping()
    #expect(try docker.ping().apiVersion == APIVersion(1, 41))
    #expect(engine.requests.count == 3)
  }

  @Test func aRequestThatChangesSomethingIsSentOnce() throws {
    let engine = try ScriptedEngine { connection in
      while let request = connection.request(), !request.contains("POST") {
        connection.reply("200 OK", "", fields: "Api-Version: 1.41\r\n")
      }
    }
    let error = failure { () throws(DockerEngineError) in try client(engine).startContainer(someID()) }
    #expect(error?.kind == .transport(.head))
    #expect(engine.requests.count { $0.contains("POST") } == 1)
  }

  @Test func whoIsNotThereOrMayNotIsTold() throws {
    let absent = DockerEngine(DockerEngine.Configuration(socketPath: "/tmp/no-such-directory/docker.sock"))
    let error = failure { () throws(DockerEngineError) in try absent.ping() }
    #expect(error?.kind == .socketAbsent && error?.isUnavailable == true)
    #expect(error?.description.contains("ENOENT") == true)

    let path = "/tmp/dead-\(UInt64.random(in: 0...UInt64.max)).sock"
    _ = try UnixSocket.listen(path, kind: .stream)  // closed again at once; the file stays
    defer { try? removeFile(path) }
    let refused = failure { () throws(DockerEngineError) in
      try DockerEngine(DockerEngine.Configuration(socketPath: path)).ping()
    }
    #expect(refused?.kind == .socketAbsent && refused?.description.contains("ECONNREFUSED") == true)
  }

  @Test func aListenerOfAnotherUserIsNotBelieved() throws {
    let engine = try ScriptedEngine.speaking { connection, _ in connection.reply("200 OK", "[]") }
    let error = failure { () throws(DockerEngineError) in
      try client(engine) { $0.acceptedPeers = .users([4_000_000_000]) }.ping()
    }
    guard case .foreignPeer = error?.kind else { Issue.record("\(String(describing: error))"); return }
    #expect(engine.requests.isEmpty)
  }

  @Test func aHungEngineRunsIntoTheDeadlineOfEachPart() throws {
    let silent = try ScriptedEngine { $0.hang() }
    let head = failure { () throws(DockerEngineError) in
      try client(silent) { $0.deadlines.head = .milliseconds(50) }.ping()
    }
    #expect(head?.kind == .timeout(.head, seconds: 0.05))

    let stalled = try ScriptedEngine.speaking { connection, _ in
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[")
      connection.hang()
    }
    let idle = failure { () throws(DockerEngineError) in
      try client(stalled) { $0.deadlines.idle = .milliseconds(50) }.listContainers()
    }
    #expect(idle?.kind == .timeout(.idle, seconds: 0.05))

    let dripping = try ScriptedEngine { connection in
      connection.send("HTTP/1.1 200 OK\r\nX: ")
      while true {
        pause(milliseconds: 5)
        guard (try? StreamSocket.send([0x61], over: connection.socketNumber)) == 1 else { return }
      }
    }
    let whole = failure { () throws(DockerEngineError) in
      try client(dripping) { $0.deadlines.whole = .milliseconds(100) }.ping()
    }
    #expect(whole?.kind == .timeout(.whole, seconds: 0.1))
  }

  @Test func anEngineThatAcceptsNothingRunsIntoTheConnectDeadline() throws {
    let path = "/tmp/full-\(UInt64.random(in: 0...UInt64.max)).sock"
    let listener = try UnixSocket.listen(path, kind: .stream, backlog: 0)
    defer { try? removeFile(path) }
    var waiting: [SharedDescriptor] = []
    while waiting.count < 100, let socket = try? StreamSocket.connect(path, timeoutMilliseconds: 10) {
      waiting.append(SharedDescriptor(socket))
    }
    var configuration = DockerEngine.Configuration(socketPath: path)
    configuration.deadlines.connect = .milliseconds(50)
    let error = failure { () throws(DockerEngineError) in try DockerEngine(configuration).ping() }
    #expect(error?.kind == .timeout(.connect, seconds: 0.05))
    _ = listener.rawValue
  }

  @Test func aSocketOfAnyLengthCanBeUsed() throws {
    let engine = try ScriptedEngine.speaking { connection, _ in connection.reply("200 OK", "[]") }
    let directory = String(engine.path.dropLast("/docker.sock".count))
    let long = directory + "/" + String(repeating: "x", count: 200)
    try makeDirectory(long, mode: 0o700)
    defer { try? removeTree(long) }
    try rename(engine.path, to: long + "/docker.sock")
    defer { try? rename(long + "/docker.sock", to: engine.path) }
    let docker = DockerEngine(DockerEngine.Configuration(socketPath: long + "/docker.sock"))
    #expect(try docker.listContainers().isEmpty)
  }

  @Test func theConnectionOfWorkThatIsBegunClosesWithIt() throws {
    let engine = try ScriptedEngine.speaking { connection, _ in connection.reply("204 No Content", "") }
    let docker = client(engine)
    let kill = try docker.beginKill(someID())
    let poller = try Poller()
    try poller.add(kill.descriptor, token: 1, read: true, write: true)
    try kill.finish()
    #expect(kill.descriptor == -1)
    #expect(try poller.wait(timeoutMilliseconds: 20).isEmpty, "the kernel has taken it out of the loop")
    kill.cancel()
    #expect(try docker.ping().apiVersion == APIVersion(1, 41))
  }

  @Test func aWaitCanBeDrivenByAnEventLoop() throws {
    let engine = try ScriptedEngine.speaking { connection, _ in
      connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      pause(milliseconds: 20)
      let body = #"{"Error":null,"StatusCode":137}"#
      connection.send("\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n")
    }
    let docker = client(engine)
    let wait = try docker.beginWait(someID())
    let poller = try Poller()
    let number = wait.descriptor
    try poller.add(number, token: 1, read: true, write: true)
    var status: Int32?
    while status == nil {
      _ = try poller.wait(timeoutMilliseconds: 5000)
      status = try wait.advance()
      if status == nil {
        #expect(wait.descriptor == number, "the descriptor never changes")
        try poller.modify(
          number, token: 1, read: wait.interest.contains(.read), write: wait.interest.contains(.write))
      }
    }
    #expect(status == 137)
    #expect(engine.requests.last?.contains("POST /v1.41/containers/\(someID())/wait?condition=not-running ") == true)
  }
}

extension TransportTests {
  @Test func whatBreaksAtOnceGivesItsErrorToAnEventLoop() throws {
    let lines = #"{"status":"Pulling","id":"1"}"# + "\r\n" + #"{"error":"manifest unknown"}"# + "\r\n"
    let engine = try ScriptedEngine.speaking { connection, _ in connection.reply("200 OK", lines) }
    let pull = try client(engine).pullImage("x")
    let poller = try Poller()
    try poller.add(pull.descriptor, token: 1, read: true, write: true)
    var seen: [String] = []
    let error = failure { () throws(DockerEngineError) in
      while !pull.isFinished {
        pause(milliseconds: 5)
        // As long as it gives something: after that there is a descriptor, or an end.
        while case let news = try pull.advance(), !news.isEmpty {
          seen += news.map(\.status)
          if pull.descriptor < 0, !pull.isFinished { #expect(pull.deadline == 0, "an error that waits is due") }
        }
        #expect(pull.isFinished || pull.descriptor >= 0)
      }
    }
    #expect(seen == ["Pulling"] && error?.engineMessage == "manifest unknown")
    #expect(pull.isFinished && pull.deadline == nil)
  }
}

/// Lets time pass.
func pause(milliseconds: Int32) {
  _ = try? waitUntilReady(-1, read: true, write: false, timeoutMilliseconds: milliseconds)
}

/// Waits until something becomes true, for ten seconds at most.
func waitUntil(_ condition: () -> Bool) -> Bool {
  for _ in 0..<2000 {
    if condition() { return true }
    pause(milliseconds: 5)
  }
  return condition()
}
