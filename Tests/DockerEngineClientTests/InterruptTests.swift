import LinuxKernel
import Testing

@testable import DockerEngineClient

/// Waiting that the caller ends, and waiting that has less time than the request.
@Suite struct InterruptTests {
  private let never = ContainerCreateRequest(image: "busybox")

  /// A pipe whose first end is readable once a byte was written.
  private func pipe(readable: Bool) throws -> DescriptorPair {
    let pipe = try makePipe()
    if readable { try pipe.second.descriptor.writeAll([1]) }
    return pipe
  }

  @Test func everyWaitEndsOnceSomethingCanBeRead() throws {
    // The version is agreed on before the engine falls silent.
    let engine = try ScriptedEngine.speaking { connection, _ in connection.hang() }
    let docker = client(engine)
    _ = try docker.apiVersion()
    let signal = try pipe(readable: true)
    docker.interrupt = signal.first.rawValue
    let id = someID()
    let waits: [(String, () throws -> Void)] = [
      ("inspect", { _ = try docker.inspectImage("busybox") }),
      ("create", { _ = try docker.createContainer(self.never) }),
      ("start", { _ = try docker.startContainer(id) }), ("wait", { _ = try docker.waitContainer(id) }),
      ("pull", { _ = try docker.pullImage("busybox").next() }),
      ("logs", { try docker.logs(of: id, tty: false).open() }),
      ("archive", { _ = try docker.getArchive(of: "/etc/passwd", in: id).next() }),
      ("remove", { try docker.removeContainer(id) }),
    ]
    let began = Clock.now
    for (what, wait) in waits {
      let error = #expect(throws: DockerEngineError.self, "\(what)") { try wait() }
      #expect(error?.kind == .interrupted && error?.isUnavailable == false, "\(what)")
    }
    #expect(Clock.now - began < 5_000_000_000)
    // What does not heed it any more waits as before.
    docker.interrupt = nil
    let error = failure { () throws(DockerEngineError) in
      try docker.beginRemove(id).finish(within: .milliseconds(50))
    }
    #expect(error?.kind == .timeout(.whole, seconds: 0.05))
  }

  @Test func anAnswerThatIsThereIsTakenAllTheSame() throws {
    let engine = try ScriptedEngine.speaking { connection, _ in connection.reply("200 OK", "[]") }
    let docker = client(engine)
    let signal = try pipe(readable: false)
    docker.interrupt = signal.first.rawValue
    #expect(try docker.listContainers().isEmpty)
    #expect(try docker.beginList().finish(within: .seconds(10)).isEmpty)
    withExtendedLifetime(signal) {}
  }

  @Test func anEngineThatDoesNotAnswerAPingIsGivenUpSoonerThanARequest() throws {
    let engine = try ScriptedEngine { connection in connection.hang() }
    let docker = client(engine) { $0.deadlines.head = .milliseconds(100) }
    #expect(failure { () throws(DockerEngineError) in try docker.ping() }?.kind == .timeout(.head, seconds: 0.1))
  }

  /// Answers as an engine gives them in a launch, each cut after any number of bytes.
  @Test func aLaunchThatIsCutOffAnywhereIsNeverASuccess() throws {
    let id = someID().text
    let details =
      #"{"Id":"\#(id)","State":{"Status":"exited","Running":false,"ExitCode":0},"Config":{},"HostConfig":{}}"#
    let image = #"{"Id":"sha256:\#(id)","Os":"linux","Config":{"Env":["A=b"]}}"#
    func whole(_ body: String) -> String { "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)" }
    func chunked(_ body: String) -> String {
      let half = body.utf8.count / 2
      let (first, second) = (String(body.prefix(half)), String(body.dropFirst(half)))
      return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + [first, second].map { "\(String($0.utf8.count, radix: 16))\r\n\($0)\r\n" }.joined() + "0\r\n\r\n"
    }
    let calls: [(String, (DockerEngine) throws -> Void)] = [
      (whole(#"{"Id":"\#(id)","Warnings":null}"#), { _ = try $0.createContainer(self.never) }),
      (chunked(image), { _ = try $0.inspectImage("busybox") }),
      (chunked(details), { _ = try $0.inspectContainer(someID()) }),
      ("HTTP/1.1 204 No Content\r\n\r\n", { _ = try $0.startContainer(someID()) }),
      (chunked("[]"), { _ = try $0.listContainers() }),
      (whole(#"{"StatusCode":0}"#), { _ = try $0.waitContainer(someID()) }),
    ]
    for (answer, call) in calls {
      let bytes = Array(answer.utf8)
      let cut = Locked(0)
      let engine = try ScriptedEngine { connection in
        _ = connection.request()
        connection.send(Array(bytes[..<cut.withLock { $0 }]))
      }
      func docker() -> DockerEngine { client(engine) { $0.apiVersion = APIVersion(1, 41) } }
      for count in 0..<bytes.count {
        cut.withLock { $0 = count }
        #expect(throws: DockerEngineError.self, "\(count) of \(answer)") { try call(docker()) }
      }
      cut.withLock { $0 = bytes.count }
      #expect(throws: Never.self, "\(answer)") { try call(docker()) }
    }
  }
}
