import LinuxKernel
import Testing

@testable import DockerEngineClient

@_silgen_name("getenv")
func environmentValue(_ name: UnsafePointer<CChar>) -> UnsafePointer<CChar>?

/// The socket of an engine that tests may use, from `AURORA_TEST_DOCKER_SOCKET`.
private let socket: String? = environmentValue("AURORA_TEST_DOCKER_SOCKET").map { String(cString: $0) }

@Suite(.enabled(if: socket != nil, "set AURORA_TEST_DOCKER_SOCKET to the socket of an engine for tests"), .serialized)
struct RealEngineTests {
  let docker = DockerEngine(DockerEngine.Configuration(socketPath: socket ?? ""))

  init() throws {
    if try docker.listImages(filters: ["reference": [TestImage.reference]]).isEmpty {
      #expect(try docker.loadImages(.bytes(TestImage.archive())) == [TestImage.reference])
    }
  }

  /// Runs `body` with a new container, which is gone afterwards.
  func withContainer(
    _ command: [String], _ change: (inout ContainerCreateRequest) -> Void = { _ in },
    _ body: (ContainerID) throws -> Void
  ) throws {
    var request = ContainerCreateRequest(image: TestImage.reference)
    request.spec.command = command
    request.spec.labels = ["engine-client-test": "yes"]
    request.hostConfig.networkMode = "none"
    change(&request)
    let id = try docker.createContainer(request).id
    defer { try? docker.removeContainer(id, force: true, volumes: true) }
    try body(id)
  }

  @Test func theEngineIntroducesItself() throws {
    let ping = try docker.ping()
    #expect(ping.apiVersion >= APIVersion(1, 40))
    let version = try docker.version()
    #expect(version.apiVersion == ping.apiVersion && !version.version.isEmpty)
    let info = try docker.info()
    #expect(info.serverVersion == version.version && info.cpus > 0 && !info.driver.isEmpty)
  }

  @Test func aLoadedImageIsWhatWasLoaded() throws {
    let image = try docker.inspectImage(TestImage.reference)
    #expect(image.spec.command == ["/bin/sh"] && image.spec.labels == ["made-by": "test"])
    #expect(image.layers.count == 1)
    try docker.tagImage(TestImage.reference, repository: "engine-client-test", tag: "2")
    #expect(try docker.removeImage("engine-client-test:2").untagged == ["engine-client-test:2"])
    let missing = failure { () throws(DockerEngineError) in try docker.inspectImage("no/such:image") }
    #expect(missing?.status == 404)
  }

  @Test func aContainerRunsToItsEnd() throws {
    try withContainer(["sh", "-c", "echo out; echo err >&2; exit 7"]) { id in
      let wait = try docker.beginWait(id, condition: .nextExit)
      #expect(try wait.advance() == nil)
      #expect(try docker.startContainer(id))
      #expect(try wait.finish() == 7)
      let details = try docker.inspectContainer(id)
      #expect(details.state.status == "exited" && details.state.exitCode == 7 && !details.state.running)
      #expect(details.imageID == (try docker.inspectImage(TestImage.reference)).id.text)
      #expect(try docker.listContainers(filters: ["label": ["engine-client-test=yes"]]).contains { $0.id == id })
    }
    #expect(try docker.listContainers(filters: ["label": ["engine-client-test=yes"]]).isEmpty)
  }

  /// Everything that a stream has, as text by stream.
  private func text(_ stream: EngineStream<OutputPiece>) throws -> [OutputStream: String] {
    var bytes: [OutputStream: [UInt8]] = [:]
    while let piece = try stream.next() { bytes[piece.stream, default: []] += piece.bytes }
    return bytes.mapValues { String(decoding: $0, as: UTF8.self) }
  }

  @Test func logsAreWhatWasWritten() throws {
    try withContainer(["sh", "-c", "echo out; echo err >&2; sleep 0.2; echo last"]) { id in
      _ = try docker.startContainer(id)
      var options = DockerEngine.LogOptions()
      options.follow = true
      #expect(
        try text(docker.logs(of: id, tty: false, options))
          == [.standardOutput: "out\nlast\n", .standardError: "err\n"])
      options = DockerEngine.LogOptions()
      options.tail = 1
      #expect(try text(docker.logs(of: id, tty: false, options)) == [.standardOutput: "last\n"])
      options.since = Clock.wall + 1_000_000_000_000
      #expect(try text(docker.logs(of: id, tty: false, options)).isEmpty)
    }
    try withContainer(["echo", "hello"], { $0.spec.tty = true }) { id in
      _ = try docker.startContainer(id)
      _ = try docker.waitContainer(id)
      #expect(try text(docker.logs(of: id, tty: true)) == [.standardOutput: "hello\r\n"])
    }
  }

  @Test func attachingBeforeTheStartLosesNothing() throws {
    let change: (inout ContainerCreateRequest) -> Void = {
      $0.spec.openStandardInput = true
      $0.spec.closeStandardInputAfterAttach = true
      $0.spec.attachStandardInput = true
    }
    try withContainer(["sh", "-c", "echo ready >&2; cat; exit 4"], change) { id in
      let attached = try docker.attach(to: id, tty: false, input: true)
      try attached.output.open()
      _ = try docker.startContainer(id)
      try attached.writeAll(Array("through\n".utf8))
      try attached.closeInput()
      #expect(try text(attached.output) == [.standardOutput: "through\n", .standardError: "ready\n"])
      #expect(try docker.waitContainer(id) == 4)
    }
  }

  @Test func commandsRunInARunningContainer() throws {
    try withContainer(["sleep", "1000"], { $0.hostConfig.initProcess = nil }) { id in
      _ = try docker.startContainer(id)
      #expect(try !docker.startContainer(id), "it runs already")
      var spec = ExecSpec(command: ["sh", "-c", "echo $GREETING; cat; exit 9"])
      spec.environment = ["GREETING=hello"]
      spec.attachStandardInput = true
      let exec = try docker.createExec(in: id, spec)
      let attached = try docker.startExec(exec, tty: false)
      try attached.writeAll(Array("input".utf8))
      try attached.closeInput()
      #expect(try text(attached.output) == [.standardOutput: "hello\ninput"])
      #expect(waitUntil { (try? docker.inspectExec(exec).running) == false })
      let details = try docker.inspectExec(exec)
      #expect(details.exitCode == 9 && details.container == id)
      try docker.killContainer(id)
      #expect(try docker.waitContainer(id) == 137)
      let late = failure { () throws(DockerEngineError) in try docker.createExec(in: id, spec) }
      #expect(late?.status == 409)
    }
  }

  @Test func aRunningContainerIsWatchedAndChanged() throws {
    try withContainer(["sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done"]) { id in
      let events = try docker.events(filters: ["type": ["container"], "container": [id.text]])
      try events.open()
      _ = try docker.startContainer(id)
      #expect(try events.next()?.action == "start")

      let stats = try docker.containerStats(id)
      #expect(stats.memoryUsage > 0 && stats.memoryLimit > 0 && stats.pids > 0)
      #expect(waitUntil { ((try? docker.containerStats(id).cpuNanoseconds) ?? 0) > 0 })

      var limits = ContainerResources()
      limits.memory = 64 << 20
      limits.memorySwap = 64 << 20
      _ = try docker.updateContainer(id, limits)
      #expect(try docker.inspectContainer(id).limits.memory == 64 << 20)

      try docker.pauseContainer(id)
      #expect(try docker.inspectContainer(id).state.paused)
      #expect(try events.next()?.action == "update")
      #expect(try events.next()?.action == "pause")
      try docker.unpauseContainer(id)
      let name = "engine-client-\(id.short)"
      try docker.renameContainer(id, to: name)
      #expect(try docker.inspectContainer(named: name).id == id)
      #expect(try docker.stopContainer(id, timeout: 20))
      #expect(try !docker.stopContainer(id), "it has ended already")
      #expect(try docker.waitContainer(id) == 5)
      var last: EngineEvent?
      while last?.action != "die", let event = try events.next() { last = event }
      #expect(last?.attributes["exitCode"] == "5" && last?.attributes["name"] == name)
      let dead = failure { () throws(DockerEngineError) in
        try docker.killContainer(id)
        return 0
      }
      #expect(dead?.status == 409)
    }
  }

  @Test func filesGoInAndOut() throws {
    try withContainer(["cat", "/given"]) { id in
      let end = [UInt8](repeating: 0, count: 1024)
      let file = TestImage.tarEntry("given", Array("a file".utf8), mode: 0o640)
      try docker.putArchive(.bytes(file + end), to: "/", in: id)
      let status = try docker.pathStatus(in: id, path: "/given")
      #expect(status.name == "given" && status.size == 6 && status.mode == 0o640)
      let missing = failure { () throws(DockerEngineError) in try docker.pathStatus(in: id, path: "/none") }
      #expect(missing?.status == 404)
      let archive = try docker.getArchive(of: "/given", in: id)
      var bytes: [UInt8] = []
      while let piece = try archive.next() { bytes += piece }
      #expect(bytes.count >= 1024 && bytes[512..<518].elementsEqual("a file".utf8))
      _ = try docker.startContainer(id)
      #expect(try docker.waitContainer(id) == 0)
      #expect(try text(docker.logs(of: id, tty: false)) == [.standardOutput: "a file"])
    }
  }

  @Test func volumesAndNetworksComeAndGo() throws {
    let name = "engine-client-\(UInt64.random(in: 0...UInt64.max))"
    var spec = VolumeSpec(name: name)
    spec.labels = ["engine-client-test": name]
    #expect(try docker.createVolume(spec).labels == spec.labels)
    #expect(try docker.listVolumes(filters: ["label": ["engine-client-test=\(name)"]]).map(\.name) == [name])
    try withContainer(
      ["sh", "-c", "echo kept > /v/file"], { $0.hostConfig.binds = ["\(name):/v"].compactMap(Bind.init) }
    ) { id in
      _ = try docker.startContainer(id)
      #expect(try docker.waitContainer(id) == 0)
      #expect(try docker.inspectContainer(id).mounts.map(\.name) == [name])
      let used = failure { () throws(DockerEngineError) in
        try docker.removeVolume(name)
        return 0
      }
      #expect(used?.status == 409)
    }
    #expect(try docker.inspectVolume(name).name == name)
    try docker.removeVolume(name)
    #expect(try docker.listVolumes(filters: ["name": [name]]).isEmpty)

    #expect(try docker.inspectNetwork("none").driver == "null")
    #expect(try docker.listNetworks(filters: ["type": ["builtin"]]).contains { $0.name == "host" })
  }

  @Test func whatIsLeftIsPrunedByLabel() throws {
    try withContainer(["echo"], { $0.spec.labels = ["engine-client-test": "prune"] }) { id in
      let pruned = try docker.pruneContainers(filters: ["label": ["engine-client-test=prune"]])
      #expect(pruned.removed == [id.text])
      let gone = failure { () throws(DockerEngineError) in try docker.inspectContainer(id) }
      #expect(gone?.status == 404)
    }
  }

  @Test func limitsArriveInTheContainer() throws {
    let change: (inout ContainerCreateRequest) -> Void = {
      $0.hostConfig.resources.memory = 32 << 20
      $0.hostConfig.resources.pidsLimit = 50
      $0.hostConfig.ulimits = [Ulimit(name: "nofile", soft: 100, hard: 200)]
      $0.hostConfig.tmpfs = ["/scratch": "size=1m"]
      $0.hostConfig.readOnlyRoot = true
      $0.hostConfig.dropCapabilities = ["ALL"]
      $0.spec.environment = ["WORD=a b"]
      $0.spec.user = "12:34"
      $0.spec.hostname = "inside"
      $0.spec.workingDirectory = "/scratch"
    }
    let script = "ulimit -n; echo $WORD; pwd; touch /x 2>/dev/null || echo read-only; cat /proc/self/status"
    try withContainer(["sh", "-c", script], change) { id in
      _ = try docker.startContainer(id)
      #expect(try docker.waitContainer(id) == 0)
      let output = try text(docker.logs(of: id, tty: false))[.standardOutput] ?? ""
      #expect(output.utf8.starts(with: "100\na b\n/scratch\nread-only\n".utf8))
      #expect(output.contains("Uid:\t12\t12\t12\t12\nGid:\t34\t34\t34\t34"))
      #expect(output.contains("CapBnd:\t0000000000000000"))
      let details = try docker.inspectContainer(id)
      #expect(details.limits.memory == 32 << 20 && details.limits.pidsLimit == 50)
      #expect(details.spec.hostname == "inside")
    }
  }

  @Test func stoppingAndWaitingGoOnSideBySideInOneLoop() throws {
    try withContainer(["sh", "-c", "trap 'sleep 0.3; exit 6' TERM; while :; do sleep 0.1; done"]) { id in
      let poller = try Poller()
      let start = try docker.beginStart(id)
      #expect(try start.finish())
      let wait = try docker.beginWait(id)
      let stop = try docker.beginStop(id, timeout: 20)
      var (status, stopped): (Int32?, Bool?) = (nil, nil)
      try poller.add(wait.descriptor, token: 1, read: true, write: true)
      try poller.add(stop.descriptor, token: 2, read: true, write: true)
      while status == nil || stopped == nil {
        for event in try poller.wait(timeoutMilliseconds: 30_000) {
          if event.token == 1, status == nil {
            status = try wait.advance()
            if status == nil { try poller.modify(wait.descriptor, token: 1, read: true, write: false) }
          }
          if event.token == 2, stopped == nil {
            stopped = try stop.advance()
            if stopped == nil { try poller.modify(stop.descriptor, token: 2, read: true, write: false) }
          }
        }
      }
      #expect(status == 6 && stopped == true)
      try docker.beginRemove(id, volumes: true).finish()
      let gone = failure { () throws(DockerEngineError) in try docker.beginInspect(id).finish() }
      #expect(gone?.status == 404)
    }
  }
}
