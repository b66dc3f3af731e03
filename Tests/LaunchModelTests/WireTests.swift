import LaunchModel
import Testing

@Suite struct WireTests {
  private let identity = Identity(
    name: "www-data", uid: 33, gid: 33, groupName: "www-data", supplementaryGroups: [4, 1000])

  private var plan: LaunchPlan {
    var plan = LaunchPlan(taskID: "t-1", identity: identity, sandbox: "/mnt/mesos/sandbox")
    plan.namespaces = 0x2000_0000
    plan.steps = [
      .overlayRoot(layers: ["/a", "/b"], upper: "/u", work: "/w"), .hostRoot, .directory(target: "/x", mode: 0o755),
      .mount(type: "proc", target: "/proc", options: ["a=b"], attributes: 7),
      .binds([BindMount(source: "/s", target: "/t", attributes: 1, recursive: true, kind: .optional)]),
      .device(target: "/dev/null", major: 1, minor: 3, mode: 0o666), .symbolicLink(target: "/l", content: "c"), .pivot,
      .mask("/proc/kcore"), .readOnly("/proc/sys"), .hostname("h"), .account(identity),
      .copiedRoot(CopiedRoot(directory: "/c", bytes: 1, files: 2, reason: "why")),
    ]
    plan.restrictions.boundingCapabilities = 5
    plan.restrictions.noNewPrivileges = true
    plan.restrictions.filter = CompiledFilter(profile: "default", digest: "0f", program: [6, 0, 0, 0, 0, 0, 255, 127])
    plan.restrictions.limits = [ResourceLimit(resource: 7, soft: 1, hard: .max)]
    plan.cgroups = [CgroupSetup(directory: "/c", settings: [.init("pids.max", "3", mayBeAbsent: true)])]
    plan.initCgroups = [CgroupSetup(directory: "/i", settings: [], inherited: ["cpuset.cpus"])]
    plan.sharedCgroups = [CgroupSetup(directory: "/s", settings: [])]
    plan.cgroupDirectory = "/c2"
    plan.environment = [EnvironmentVariable("A", "ä=\n")]
    plan.imageCommand = ["/bin/true"]
    plan.copies = [FileCopy(from: "/a", to: "/b")]
    plan.sandboxEntries = [SandboxEntry("d/e", isDirectory: false)]
    plan.isolators = ["x"]
    plan.leftOut = [LeftOut("y", "why")]
    plan.imageStopSignal = 3
    return plan
  }

  @Test func aPlanSurvivesTheWire() throws {
    #expect(try LaunchPlan(decoding: plan.encoded) == plan)
  }

  @Test func everyRequestAndEventSurvivesTheWire() throws {
    let key = RunKey("a/b", 3)
    let spec = ProcessSpec(
      process: "web", run: 1, command: .program(["x", ""]), environment: [], workingDirectory: "/",
      logMode: .files(maximumBytes: 9, backups: 2))
    let requests: [InitRequest] = [
      .hello(.own), .spawn(spec), .go(key), .signal(key, 15), .signalStrays(15), .killAll, .shutdown,
    ]
    for request in requests { #expect(try InitRequest(decoding: request.encoded) == request) }
    var record = ExitRecord(key: key, waitStatus: 256, bootTime: 1, wallTime: 2)
    record.startFailure = StartFailure(.noShell, "no")
    let events: [InitEvent] = [
      .ready(.own, [RunReport(key, .held(pid: 4)), RunReport(key, .ended(record))]), .setupFailed("m", hint: "h"),
      .forked(key, pid: 2), .running(key), .cannotStart(key, StartFailure(StartFailure.Kind("newer"), "r", hint: "h")),
      .ended(record), .allGone,
      .strays(3), .logTrouble(key, "ENOSPC"),
    ]
    for event in events { #expect(try InitEvent(decoding: event.encoded) == event) }
  }

  /// What a newer writer adds comes last, in a value and in one inside another; what it says that nobody knows is no error.
  @Test func aNewerWriterIsUnderstood() throws {
    struct Newer: WireValue {
      var key: RunKey
      init(_ key: RunKey) { self.key = key }
      init(from reader: inout WireReader) throws(WireError) { key = try reader.next() }
      func write(to writer: inout WireWriter) {
        key.write(to: &writer)
        writer.put("a field that is new")
      }
    }
    let key = RunKey("a", 1)
    var writer = WireWriter()
    writer.put(UInt8(3))
    writer.put(Newer(key))
    writer.put(UInt64(7))
    #expect(try InitEvent(decoding: writer.bytes) == .running(key))
    #expect(try InitEvent(decoding: [200, 1, 2, 3]) == .unknown(200))
    #expect(try InitRequest(decoding: [200]) == .unknown(200))
  }

  /// An init from before kinds of failures tells reason and hint alone.
  @Test func aFailureWithoutItsKindIsUnderstood() throws {
    let key = RunKey("a", 1)
    var event = WireWriter()
    event.put(UInt8(4))
    event.put(key)
    event.put("r")
    event.put("")
    #expect(try InitEvent(decoding: event.bytes) == .cannotStart(key, StartFailure(.other, "r")))
    var record = ExitRecord(key: key, waitStatus: 32512, bootTime: 1, wallTime: 2)
    record.startFailure = StartFailure(.noShell, "r", hint: "h")
    // The kind is the last field: a byte that says it is there, its length and its text.
    let older = Array(record.encoded.dropLast(1 + 4 + StartFailure.Kind.noShell.name.utf8.count))
    record.startFailure = StartFailure(.other, "r", hint: "h")
    #expect(try ExitRecord(decoding: older) == record)
  }

  @Test(arguments: [
    (ProtocolVersion(number: 1, oldest: 1), true), (ProtocolVersion(number: 7, oldest: 1), true),
    (ProtocolVersion(number: 7, oldest: 2), false), (ProtocolVersion(number: 0, oldest: 0), false),
  ])
  func versionsUnderstandEachOtherOrDoNot(other: ProtocolVersion, understood: Bool) {
    #expect(ProtocolVersion.own.understands(other) == understood)
  }

  @Test func aBooleanThatIsNoneIsAnError() {
    var bytes = InitRequest.openSocket(1, isIPv6: true).encoded
    #expect(bytes.removeLast() == 1)
    #expect(throws: WireError.self) { try InitRequest(decoding: bytes + [2]) }
  }

  /// Neither a cut nor a changed byte may trap or read outside.
  @Test func damagedBytesAreErrorsOrOtherValues() throws {
    let bytes = plan.encoded
    // Older executors' end before the last fields.
    let older = [bytes.count - 9, bytes.count - 5]
    var known = plan
    known.imageStopSignal = nil
    for end in older { #expect(try LaunchPlan(decoding: Array(bytes[..<end])) == known) }
    for end in bytes.indices where !older.contains(end) {
      #expect(throws: WireError.self) { try LaunchPlan(decoding: Array(bytes[..<end])) }
    }
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] = 0xff
      _ = try? LaunchPlan(decoding: damaged)
    }
  }

  @Test func aTornExitRecordEndsTheList() {
    let record = ExitRecord(key: RunKey("p", 0), waitStatus: 0, bootTime: 1, wallTime: 2)
    let file = record.frame + record.frame
    #expect(ExitRecord.records(in: file) == [record, record])
    for end in record.frame.count..<file.count { #expect(ExitRecord.records(in: Array(file[..<end])) == [record]) }
    var flipped = file
    flipped[10] ^= 1
    #expect(ExitRecord.records(in: flipped).isEmpty)
  }

  @Test func theChecksumIsCastagnolis() { #expect(Checksum.crc32c(Array("123456789".utf8)) == 0xe306_9283) }

  @Test(arguments: [
    ("www-data", true), ("a.b_C-9", true), ("", false), ("-x", false), ("123", false), ("a:b", false), ("a\nb", false),
    ("a\r\nb", false), ("ро", false), (String(repeating: "a", count: 33), false), ("..", false), ("a\u{301}", false),
  ])
  func roleNamesAreBytesOfTheirGrammar(name: String, valid: Bool) { #expect(Identity.isValidName(name) == valid) }

  @Test func aLaterVariableReplacesAnEarlierInItsPlace() {
    let merged = [EnvironmentVariable("A", "1"), EnvironmentVariable("B", "2"), EnvironmentVariable("A", "3")].merged
    #expect(merged == [EnvironmentVariable("A", "3"), EnvironmentVariable("B", "2")])
  }
}
