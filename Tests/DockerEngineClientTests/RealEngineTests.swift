import LinuxKernel
import Testing

@testable import DockerEngineClient

@_silgen_name("getenv")
private func environmentValue(_ name: UnsafePointer<CChar>) -> UnsafePointer<CChar>?

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
}
