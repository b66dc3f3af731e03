import LaunchModel
import Testing

/// The bytes themselves: executors of other versions read and write them, in launch records, `exits` files and on sockets.
@Suite struct WireBytesTests {
  private let a = "01000000 61"
  private let b = "01000000 62"
  private let identity = Identity(
    name: "a", uid: 1, gid: 2, groupName: "b", supplementaryGroups: [3, 4], shell: "c")
  private let identityBytes = "01000000 61  01000000  02000000  01000000 62  02000000 03000000 04000000  01000000 63"
  private let key = RunKey("a", 2)
  private let keyBytes = "09000000 01000000 61 02000000"
  private let spec = ProcessSpec(
    process: "a", run: 2, command: .shell("b"), environment: [EnvironmentVariable("a", "b")], workingDirectory: "b",
    logMode: .files(maximumBytes: 3, backups: 4))
  private let specBytes =
    "01000000 61  02000000  00 01000000 62  01000000 0a000000 01000000 61 01000000 62  01000000 62  "
    + "01 0300000000000000 04000000"
  private let record = ExitRecord(key: RunKey("a", 2), waitStatus: -1, bootTime: 1, wallTime: 2)
  private let recordBytes =
    "09000000 01000000 61 02000000  ffffffff  0100000000000000  0200000000000000  "
    + "0000000000000000  0000000000000000  0000000000000000  00 00 00"

  /// As a value inside another: with its length before it.
  private func nested(_ bytes: String) -> String { hex(littleEndian(read(bytes).count)) + " " + bytes }

  @Test func pairs() throws {
    try pin(EnvironmentVariable("a", "b"), "\(a) \(b)")
    try pin(FileCopy(from: "a", to: "b"), "\(a) \(b)")
    try pin(LeftOut("a", "b"), "\(a) \(b)")
    try pin(SandboxEntry("a", isDirectory: true), "\(a) 01")
    try pin(ProtocolVersion(number: 7, oldest: 6), "07000000 06000000")
    try pin(key, "\(a) 02000000")
    try pin(RunReport(key, .running(pid: 3)), "\(keyBytes)  05000000 01 03000000")
  }

  @Test func partsOfAPlan() throws {
    try pin(identity, identityBytes)
    try pin(ResourceLimit(resource: 7, soft: 1, hard: .max), "07000000  0100000000000000  ffffffffffffffff")
    try pin(CompiledFilter(profile: "a", digest: "b", program: [6, 0, 255]), "\(a) \(b) 03000000 0600ff")
    try pin(CgroupSetup.Setting("a", "b", mayBeAbsent: true), "\(a) \(b) 01")
    let first = CgroupSetup(directory: "a", settings: [.init("a", "b")], inherited: ["b"])
    let firstBytes = "\(a)  01000000 0b000000 \(a) \(b) 00  01000000 \(b)"
    // An older executor's end there.
    #expect(try CgroupSetup(decoding: read(firstBytes)) == first)
    try pin(first, "\(firstBytes)  00000000  00000000")
    try pin(
      CgroupSetup(directory: "a", settings: [], controllers: ["b"], deviceProgram: [7, 8]),
      "\(a)  00000000  00000000  01000000 \(b)  02000000 0708")
    for (kind, byte) in [(BindMount.Kind.volume, "00"), (.own, "01"), (.optional, "02")] {
      try pin(
        BindMount(source: "a", target: "b", attributes: 1, recursive: true, kind: kind),
        "\(a) \(b) 0100000000000000 01 \(byte)")
    }
  }

  @Test func restrictions() throws {
    var restrictions = Restrictions(identity: identity)
    let first = nested(identityBytes)
    try pin(restrictions, "\(first)  00  00  00  00000000  01  00  00  00  00  00")
    restrictions.boundingCapabilities = 5
    restrictions.effectiveCapabilities = 4
    restrictions.noNewPrivileges = true
    restrictions.limits = [ResourceLimit(resource: 7, soft: 1, hard: 2)]
    restrictions.changesUser = false
    restrictions.keepsProjects = true
    restrictions.keepsCgroupNamespace = true
    restrictions.scopesSockets = true
    restrictions.filter = CompiledFilter(profile: "a", digest: "b", program: [])
    let all =
      "\(first)  01 0500000000000000  01 0400000000000000  01  "
      + "01000000 14000000 07000000 0100000000000000 0200000000000000  00  01  01  01  01 0e000000 \(a) \(b) 00000000"
    // An older executor's end before the last.
    #expect(try Restrictions(decoding: read(all)) == restrictions)
    restrictions.pinsNoFiles = true
    try pin(restrictions, "\(all)  01")
  }

  @Test func aPlan() throws {
    var plan = LaunchPlan(taskID: "a", identity: identity, sandbox: "b")
    let restrictions = nested("\(nested(identityBytes))  00  00  00  00000000  01  00  00  00  00  00")
    try pin(
      plan,
      "\(a)  0000000000000000  00000000  \(restrictions)  00000000  00000000  00000000  00  00000000  00  00000000  "
        + "\(b)  00000000  00000000  00000000  00000000  00000000  00")
    plan.namespaces = 0x2000_0000
    plan.steps = [.pivot, .mask("a")]
    plan.cgroups = [CgroupSetup(directory: "a", settings: [])]
    plan.initCgroups = [CgroupSetup(directory: "b", settings: [])]
    plan.sharedCgroups = [CgroupSetup(directory: "c", settings: [])]
    plan.cgroupDirectory = "a"
    plan.environment = [EnvironmentVariable("a", "b")]
    plan.imageWorkingDirectory = "b"
    plan.imageCommand = ["a"]
    plan.copies = [FileCopy(from: "a", to: "b")]
    plan.sandboxEntries = [SandboxEntry("a", isDirectory: false)]
    plan.isolators = ["b"]
    plan.leftOut = [LeftOut("a", "b")]
    func bytes(_ length: String, _ empty: String) -> String {
      "\(a)  0000002000000000  02000000 01000000 07 06000000 08 \(a)  \(restrictions)  "
        + "01000000 \(length) \(a) \(empty)  01000000 \(length) \(b) \(empty)  "
        + "01000000 \(length) 01000000 63 \(empty)  "
        + "01 \(a)  01000000 0a000000 \(a) \(b)  01 \(b)  01000000 \(a)  \(b)  01000000 0a000000 \(a) \(b)  "
        + "01000000 06000000 \(a) 00  01000000 \(b)  01000000 0a000000 \(a) \(b)"
    }
    // An older executor's, to be taken over.
    #expect(try LaunchPlan(decoding: read(bytes("0d000000", "00000000 00000000"))) == plan)
    plan.version2Cgroups = [CgroupSetup(directory: "a", settings: [])]
    let empty = "00000000 00000000 00000000 00000000"
    let all = bytes("15000000", empty) + "  01000000 15000000 \(a) \(empty)"
    #expect(try LaunchPlan(decoding: read(all)) == plan)
    plan.imageStopSignal = 2
    try pin(plan, "\(all)  01 02000000")
  }

  @Test func steps() throws {
    try pin(SetupStep.overlayRoot(layers: ["a"], upper: "b", work: "a"), "00 01000000 \(a) \(b) \(a)")
    try pin(SetupStep.hostRoot, "01")
    try pin(SetupStep.directory(target: "a", mode: 0o755), "02 \(a) ed010000")
    try pin(
      SetupStep.mount(type: "a", target: "b", options: ["a"], attributes: 7),
      "03 \(a) \(b) 01000000 \(a) 0700000000000000")
    try pin(
      SetupStep.binds([BindMount(source: "a", target: "b", attributes: 1, recursive: false, kind: .own)]),
      "04 01000000 14000000 \(a) \(b) 0100000000000000 00 01")
    try pin(SetupStep.device(target: "a", major: 1, minor: 3, mode: 0o666), "05 \(a) 01000000 03000000 b6010000")
    try pin(SetupStep.symbolicLink(target: "a", content: "b"), "06 \(a) \(b)")
    try pin(SetupStep.pivot, "07")
    try pin(SetupStep.mask("a"), "08 \(a)")
    try pin(SetupStep.readOnly("a"), "09 \(a)")
    try pin(SetupStep.hostname("a"), "0a \(a)")
    try pin(SetupStep.account(identity), "0b \(nested(identityBytes))")
    try pin(
      SetupStep.ownCgroup(BindMount(source: "a", target: "b", attributes: 1, recursive: false, kind: .own)),
      "0c 14000000 \(a) \(b) 0100000000000000 00 01")
    try pin(
      SetupStep.copiedRoot(CopiedRoot(directory: "a", bytes: 1, files: 2, reason: "b")),
      "0d 1a000000 \(a) 0100000000000000 0200000000000000 \(b)")
  }

  @Test func aProcess() throws {
    try pin(spec, specBytes)
    var other = spec
    other.command = .program(["a", "b"])
    other.environment = []
    other.logMode = .direct
    try pin(other, "\(a)  02000000  01 02000000 \(a) \(b)  00000000  \(b)  00")
    other.logMode = .discard
    try pin(other, "\(a)  02000000  01 02000000 \(a) \(b)  00000000  \(b)  02")
  }

  @Test func failures() throws {
    try pin(StartFailure(StartFailure.Kind("a"), "a", hint: "b"), "\(a) \(b) \(a)")
    try pin(StartFailure(StartFailure.Kind("b"), "a"), "\(a) 00000000 \(b)")
    #expect(try StartFailure(decoding: read("\(a) \(b)")) == StartFailure(.other, "a", hint: "b"))
  }

  @Test func anEnd() throws {
    try pin(record, recordBytes)
    var full = record
    full.userMicroseconds = 3
    full.systemMicroseconds = 4
    full.maximumResidentBytes = 5
    let numbers =
      "\(keyBytes)  ffffffff  0100000000000000  0200000000000000  0300000000000000  0400000000000000  0500000000000000"
    full.startFailure = StartFailure(StartFailure.Kind("a"), "b", hint: "a")
    try pin(full, "\(numbers)  01 \(b)  01 \(a)  01 \(a)")
    full.startFailure = StartFailure(StartFailure.Kind("a"), "b")
    try pin(full, "\(numbers)  01 \(b)  00  01 \(a)")
    // An older init tells no kind, and has an empty hint where it has none.
    full.startFailure = StartFailure(.other, "b")
    for older in ["00", "01 00000000"] {
      #expect(try ExitRecord(decoding: read("\(numbers)  01 \(b)  \(older)")) == full)
    }
    full.startFailure = nil
    #expect(try ExitRecord(decoding: read("\(numbers)  00  01 \(a)  01 \(a)")) == full)
  }

  @Test func requests() throws {
    try pin(InitRequest.hello(ProtocolVersion(number: 2, oldest: 1)), "00 08000000 02000000 01000000")
    try pin(InitRequest.spawn(spec), "01 \(nested(specBytes))")
    try pin(InitRequest.go(key), "02 \(keyBytes)")
    try pin(InitRequest.signal(key, 15), "04 \(keyBytes) 0f000000")
    try pin(InitRequest.signalStrays(15), "05 0f000000")
    try pin(InitRequest.killAll, "06")
    try pin(InitRequest.shutdown, "07")
    try pin(InitRequest.openSocket(3, isIPv6: true), "08 03000000 01")
    try pin(InitRequest.execute(3, spec), "09 03000000 \(nested(specBytes))")
    try pin(InitRequest.killCommand(3), "0a 03000000")
    try pin(InitRequest.listen, "0b")
    try pin(InitRequest.unknown(3), "03")
  }

  @Test func events() throws {
    try pin(
      InitEvent.ready(ProtocolVersion(number: 2, oldest: 1), [RunReport(key, .held(pid: 4))]),
      "00 08000000 02000000 01000000  01000000 \(nested("\(keyBytes) 05000000 00 04000000"))")
    try pin(RunState.ended(record), "02 \(nested(recordBytes))")
    try pin(InitEvent.setupFailed("a", hint: "b"), "01 \(a) \(b)")
    try pin(InitEvent.forked(key, pid: 4), "02 \(keyBytes) 04000000")
    try pin(InitEvent.running(key), "03 \(keyBytes)")
    try pin(InitEvent.cannotStart(key, StartFailure(StartFailure.Kind("a"), "b")), "04 \(keyBytes) \(b) 00000000 \(a)")
    try pin(InitEvent.ended(record), "05 \(nested(recordBytes))")
    try pin(InitEvent.allGone, "06")
    try pin(InitEvent.logTrouble(key, "a"), "07 \(keyBytes) \(a)")
    try pin(InitEvent.strays(3), "08 03000000")
    try pin(InitEvent.stopRequested(signal: 15), "09 0f000000")
    try pin(InitEvent.socket(3), "0a 03000000")
    try pin(InitEvent.noSocket(3, errno: 97), "0b 03000000 61000000")
    try pin(InitEvent.executed(3, record), "0c 03000000 \(nested(recordBytes))")
    try pin(InitEvent.unknown(200), "c8")
  }
}

/// That a value is written as these bytes, and these bytes are read as the value.
private func pin<Value: WireValue & Equatable>(
  _ value: Value, _ bytes: String, _ location: SourceLocation = #_sourceLocation
) throws {
  #expect(hex(value.encoded) == hex(read(bytes)), sourceLocation: location)
  #expect(try Value(decoding: read(bytes)) == value, sourceLocation: location)
  if var record = value as? any WireRecord {
    var rows = RowCount()
    record.fields(&rows)
    let fields = Mirror(reflecting: value).children.count
    #expect(rows.count >= fields, "a field of \(Value.self) has no row", sourceLocation: location)
  }
}

private struct RowCount: WirePass {
  var count = 0
  mutating func field(_ field: inout some WireField) { count += 1 }
  mutating func field(later field: inout some WireField) { count += 1 }
}

private func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

private func read(_ hex: String) -> [UInt8] {
  let digits = hex.utf8.filter { $0 != UInt8(ascii: " ") }
  return stride(from: 0, to: digits.count, by: 2).compactMap { index in
    UInt8(String(decoding: digits[index..<(index + 2)], as: UTF8.self), radix: 16)
  }
}

private func littleEndian(_ count: Int) -> [UInt8] {
  (0..<4).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
}
