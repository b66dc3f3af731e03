import Glibc
import LinuxKernel
import StrictJSON
import Testing

@testable import Images

/// What workers report, and what the executor makes of reports that a taken-over worker could send.
@Suite struct WireTests {
  private var contents: ArchiveContents {
    var config = ImageConfig()
    config.environment = ["A=b"]
    config.labels = [ImageConfig.Label(name: "x", value: "y")]
    config.diffIDs = [Digest(hex: String(repeating: "ab", count: 32).utf8)].compactMap { $0 }
    let digest = config.diffIDs[0]
    let beside = PassedOver(names: ["c"], tag: nil, label: "l", kind: "k", .invalid("why", hint: "hint"))
    return ArchiveContents(
      images: [
        ArchiveImage(
          names: ["a", "b"], tag: "t", manifestDigest: digest, document: [1, 2, 3], config: config,
          layers: [
            ArchiveLayer(location: .range(offset: 5, size: 6), blobDigest: nil, diffID: digest),
            ArchiveLayer(location: .file(digest: digest, size: 7), blobDigest: digest, diffID: nil),
          ])
      ], passedOver: [beside])
  }

  @Test func contentsComeBackAsTheyWere() throws {
    #expect(try ArchiveContents(wire: contents.wire) == contents)
  }

  @Test func everyCutAndEveryFlippedByteIsRefusedOrRead() throws {
    let wire = contents.wire
    for count in 0..<wire.count {
      #expect(throws: ImageError.self) { _ = try ArchiveContents(wire: Array(wire.prefix(count))) }
    }
    #expect(throws: ImageError.self) { _ = try ArchiveContents(wire: wire + [0]) }
    for index in wire.indices {
      for bit: UInt8 in [1, 0x80, 0xff] {
        var bytes = wire
        bytes[index] ^= bit
        _ = try? ArchiveContents(wire: bytes)  // a trap would end the tests
      }
    }
  }

  @Test func listsOfClaimedLengthReserveNothing() {
    var wire = WireWriter()
    wire.put(UInt64.max)
    #expect(throws: ImageError.self) { _ = try ArchiveContents(wire: wire.bytes) }
    var other = WireWriter()
    other.put(UInt64(Int64.max))
    #expect(throws: ImageError.self) { _ = try ArchiveContents(wire: other.bytes) }
  }

  @Test func messagesComeInPieces() throws {
    let error = ImageError(.exhausted, places: ["entry x"], why: "full", hint: "make room")
    let messages: [WorkerMessage] = [.progress(42), .failure(error), .result([1, 2, 3])]
    var received: [UInt8] = []
    var read: [WorkerMessage] = []
    for byte in messages.flatMap(\.frame) {
      received.append(byte)
      while let message = try WorkerMessage.take(from: &received) { read.append(message) }
    }
    #expect(read == messages)
    guard case .failure(let back) = read[1] else { return }
    #expect(back.kind == .exhausted)
    #expect(back.description == "entry x: full (make room)")
  }

  @Test func errorsOfWorkersCannotWriteToATerminal() throws {
    let error = ImageError(.host(Errno("x", code: EIO)), places: ["\u{1b}[2J"], why: "a\nb", hint: "")
    var bytes = WorkerMessage.failure(error).frame
    guard case .failure(let back)? = try WorkerMessage.take(from: &bytes) else {
      Issue.record("no failure")
      return
    }
    #expect(back.kind == .host(Errno("", code: EIO)))
    #expect(back.description == "\\x1b[2J: a\\x0ab")
  }

  @Test func messagesBeyondReasonAreRefused() {
    var huge: [UInt8] = [2, 0xff, 0xff, 0xff, 0xff]
    #expect(throws: ImageError.self) { _ = try WorkerMessage.take(from: &huge) }
    var unknown: [UInt8] = [9, 0, 0, 0, 0]
    #expect(throws: ImageError.self) { _ = try WorkerMessage.take(from: &unknown) }
  }

  @Test func requestsComeBackAsTheyWere() throws {
    var request = UnpackWorker.Request(.layer, range: ByteRange(offset: 7, size: 9))
    request.platform = Platform(os: "linux", architecture: "arm", variant: "v7")
    #expect(try UnpackWorker.Request(request.arguments) == request)
    for arguments in [
      ["x"], ["x", "__unpack"], ["x", "__unpack", "other"], ["x", "__unpack", "layer", "z=1"],
      ["x", "__unpack", "layer", "size=-1"],
    ] {
      #expect(throws: ImageError.self) { _ = try UnpackWorker.Request(arguments) }
    }
  }
}

/// Configuration documents.
@Suite struct ImageConfigTests {
  private func read(_ text: String) throws -> ImageConfig {
    try ImageConfig(document: try JSON(parsing: Array(text.utf8)))
  }

  @Test func readsWhatDockerAndBuildersWrite() throws {
    let config = try read(
      """
      {"architecture": "arm64", "variant": "v8", "os": "linux", "created": "2026-01-02T03:04:05Z", "history": [{}],
       "config": {"User": "u", "Env": ["A=1"], "Entrypoint": null, "Cmd": "one string", "WorkingDir": "", "OnBuild": null,
                  "Labels": {"a": "b", "é": "1", "e\\u0301": "2"}, "ExposedPorts": {"80/tcp": {}}, "Volumes": null},
       "rootfs": {"type": "layers", "diff_ids": []}}
      """)
    #expect(config.architecture == "arm64")
    #expect(config.command == ["one string"])
    #expect(config.entrypoint.isEmpty)
    #expect(config.exposedPorts == ["80/tcp"])
    #expect(config.labels.map { Array($0.name.utf8) } == [Array("a".utf8), Array("é".utf8), Array("e\u{301}".utf8)])
    #expect(try ImageConfig(document: config.document) == config)
  }

  @Test(arguments: [
    "[]", #"{"os": 1}"#, #"{"config": []}"#, #"{"config": {"Env": [1]}}"#, #"{"config": {"Env": {"A": "b"}}}"#,
    #"{"config": {"Cmd": ["a\u0000b"]}}"#, #"{"config": {"Labels": {"a": 1}}}"#, #"{"config": {"Volumes": ["/a"]}}"#,
    #"{"rootfs": {}}"#, #"{"rootfs": {"diff_ids": ["sha256:x"]}}"#, #"{"rootfs": {"diff_ids": [1]}}"#,
  ])
  func refusesOtherTypes(text: String) {
    #expect(throws: ImageError.self) { _ = try read(text) }
  }

  @Test func platformsSuitTheirFamily() {
    let amd64 = Platform(os: "linux", architecture: "amd64")
    let arm64 = Platform(os: "linux", architecture: "arm64", variant: "v8")
    #expect(amd64.suits(amd64) > amd64.suits(Platform(os: "linux", architecture: "386")))
    #expect(amd64.suits(Platform(os: "linux", architecture: "386")) > 0)
    #expect(amd64.suits(arm64) == 0)
    for variant in ["v2", "v4", "nonsense"] {
      let image = Platform(os: "linux", architecture: "amd64", variant: variant)
      #expect(amd64.suits(image) == 0)
      #expect(image.suits(image) == 4)
    }
    #expect(amd64.suits(Platform(os: "windows", architecture: "amd64")) == 0)
    #expect(amd64.suits(Platform(os: "", architecture: "")) > 0, "old images do not say")
    #expect(arm64.suits(Platform(os: "linux", architecture: "arm64")) > 0)
    #expect(amd64.suits(Platform(os: "linux", architecture: "x86_64")) == amd64.suits(amd64))
    #expect(Platform(os: "linux", architecture: "aarch64").suits(arm64) == arm64.suits(arm64))
    #expect(Platform("armv7l")?.suits(Platform(os: "linux", architecture: "arm", variant: "v7")) == 4)
  }
}
