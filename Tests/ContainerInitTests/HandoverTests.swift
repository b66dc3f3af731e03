import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// What crosses to container-init before it does anything.
@Suite struct HandoverTests {
  private let plan: LaunchPlan
  private let pair: DescriptorPair

  init() throws {
    var plan = LaunchPlan(taskID: "t", identity: StartedInit.identity, sandbox: "/s")
    plan.cgroups = (0..<3).map { CgroupSetup(directory: "/c\($0)", settings: []) }
    plan.cgroupDirectory = "/c"
    plan.steps = [
      .binds(
        (0..<100).map { BindMount(source: "/\($0)", target: "/\($0)", attributes: 0, recursive: true, kind: .volume) })
    ]
    self.plan = plan
    pair = try UnixSocket.pair(.sequencedPackets)
  }

  /// A file that says which one it is.
  private func file(_ name: String) throws -> SharedDescriptor {
    SharedDescriptor(try sealedMemory("file", Array(name.utf8)))
  }

  private func names(_ files: [SharedDescriptor]) throws -> [String] {
    try files.map { String(decoding: try $0.descriptor.read(upTo: 100, at: 0), as: UTF8.self) }
  }

  private func files(binds: Int) throws -> Handover.Files {
    var files = Handover.Files(log: try file("log"), exits: try file("exits"), listener: try file("listener"))
    files.tasks = try (0..<3).map { try file("task \($0)") }
    files.cgroup = try file("cgroup")
    files.sources = try (0..<binds).map { try file("source \($0)") }
    return files
  }

  @Test func moreThanOneMessageHoldsComesInOrder() throws {
    var sent = try files(binds: 100)
    sent.kept = try (0..<150).map { try file("kept \($0)") }
    try Handover.send(plan, sent, over: pair.first)
    let (plan, files) = try Handover.receive(over: pair.second)
    #expect(plan == self.plan)
    #expect(try names([files.log, files.exits, files.listener]) == ["log", "exits", "listener"])
    #expect(try names(files.tasks) == ["task 0", "task 1", "task 2"])
    #expect(try names([#require(files.cgroup)]) == ["cgroup"])
    #expect(try names(files.sources) == (0..<100).map { "source \($0)" })
    #expect(try names(files.kept) == (0..<150).map { "kept \($0)" })
  }

  @Test func aPlanThatIsLargerThanAMessageComesWhole() throws {
    var large = plan
    large.environment = (0..<3000).map { EnvironmentVariable("V\($0)", String(repeating: "x", count: 100)) }
    try Handover.send(large, try files(binds: 100), over: pair.first)
    #expect(try Handover.receive(over: pair.second).plan == large)
  }

  @Test func lessThanThePlanSpeaksOfIsRefused() throws {
    try Handover.send(plan, try files(binds: 99), over: pair.first)
    #expect(throws: WireError.self) { try Handover.receive(over: pair.second) }
  }

  @Test func anExecutorThatIsGoneIsNotWaitedFor() throws {
    let second = try {
      let pair = try UnixSocket.pair(.sequencedPackets)
      return pair.second
    }()
    #expect(throws: WireError.self) { try Handover.receive(over: second) }
  }
}
