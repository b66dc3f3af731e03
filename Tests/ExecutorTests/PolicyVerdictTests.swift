import LinuxKernel
import StrictJSON
import TaskModel
import Testing

@testable import DockerContainerizer
@testable import DockerEngineClient
@testable import Executor
@testable import OperatorPolicy
@testable import TaskStore

/// Which rule gives or denies a demand.
struct PolicyVerdictTests {
  private func policy(_ text: String) throws -> Policy {
    let (policy, faults) = Policy.decode(Array(text.utf8))
    return try #require(policy, "\(faults)")
  }

  /// Links of a host that is nowhere: `/link` leads to `/etc`.
  private static func resolve(_ path: String) -> ResolvedPath {
    switch path {
    case "/missing": .unclear("it cannot be resolved")
    case "/srv/link": .path(Array("/etc".utf8))
    case "/srv/colon": .path(Array("/srv/a:b".utf8))
    default: .path(Array(path.cleanedAbsolutePath.utf8))
    }
  }

  /// Something is mounted below `/srv/mounts`.
  private static func mountBelow(_ path: [UInt8]) -> String? {
    let inner = Array("/srv/mounts/inner".utf8)
    return path != inner && inner.isBelow(path) ? "/srv/mounts/inner" : nil
  }

  /// Accounts of that host.
  private static func uid(_ name: String) throws(Errno) -> UInt32? {
    if name == "broken" { throw Errno("getent", code: 5) }
    return ["svc": 33, "twin": 33, "toor": 0, "root": 0, "33": 33][name]
  }

  private func ruling(
    _ kind: Demand.Kind, _ text: String, words: OperatorWords = .init(), allowed: String = "all", engine: Bool = false
  ) throws -> Ruling {
    try judge(text, words, allowed).ruling(Demand(kind, .init(.document), goesToEngine: engine))
  }

  private func judge(_ text: String, _ words: OperatorWords = .init(), _ allowed: String = "all") throws -> PolicyJudge
  {
    PolicyJudge(
      policy: try policy(text), words: words, allowedDockerParameters: try DockerParameters.Allowed(allowed).names,
      resolve: Self.resolve, mountBelow: Self.mountBelow, uid: Self.uid,
      groupNames: { $0 == 111 ? ["engine", "docker"] : ["g\($0)"] })
  }

  /// An account of the group docker has root by the engine's socket, which a task on the host's file system reaches.
  @Test(arguments: [
    ([33, 111], "{}", false), ([111], "{}", false), ([0], "{}", false), ([33, 50], "{}", true),
    ([33, 111], #"{"roles": {"allow": ["*"]}}"#, false), ([33, 111], #"{"roles": {"allow": ["svc"]}}"#, true),
    ([33, 111], #"{"roles": {"allow": ["*", "svc"]}}"#, true),
  ])
  func groupsThatHaveTheHost(groups: [UInt32], text: String, isGiven: Bool) throws {
    let ruling = try ruling(.role(name: "svc", uid: 33, groups: groups), text)
    #expect(ruling.isGiven == isGiven)
    if !isGiven { #expect(ruling.reason.hasSuffix(groups == [0] ? "it is in root" : "it is in docker")) }
    #expect(try self.ruling(.role(name: "svc", uid: 33, groups: groups), text, words: .init(role: true)).isGiven)
  }

  @Test(arguments: [
    ("svc", 33, "{}", true), ("root", 0, "{}", false), ("toor", 0, "{}", false),
    ("root", 0, #"{"roles": {"allow": ["*"]}}"#, false), ("root", 0, #"{"roles": {"allow": ["*", "root"]}}"#, true),
    ("toor", 0, #"{"roles": {"allow": ["*", "root"]}}"#, false), ("toor", 0, #"{"roles": {"allow": ["toor"]}}"#, true),
    ("svc", 33, #"{"roles": {"allow": []}}"#, false), ("svc", 33, #"{"roles": {"allow": ["other"]}}"#, false),
    ("svc", 33, #"{"roles": {"deny": ["svc"]}}"#, false),
    ("svc", 33, #"{"roles": {"allow": ["svc"], "deny": ["*"]}}"#, false),
    ("toor", 0, #"{"roles": {"allow": ["toor"], "deny": ["root"]}}"#, false),
    ("root", 0, #"{"roles": {"allow": ["root"], "deny": ["*"]}}"#, true),
    ("twin", 33, #"{"roles": {"deny": ["svc"]}}"#, false), ("twin", 33, #"{"roles": {"deny": ["33"]}}"#, false),
    ("root", 0, #"{"roles": {"allow": ["root"], "deny": ["toor"]}}"#, false),
    ("svc", 33, #"{"roles": {"deny": ["absent"]}}"#, true), ("svc", 33, #"{"roles": {"deny": ["broken"]}}"#, false),
  ])
  func roles(name: String, uid: UInt32, text: String, isGiven: Bool) throws {
    #expect(try ruling(.role(name: name, uid: uid), text).isGiven == isGiven)
    // The operator's own word counts, whatever the file says.
    #expect(try ruling(.role(name: name, uid: uid), text, words: .init(role: true)).isGiven)
  }

  private static let paths = #"{"host_paths": [{"path": "/srv", "mode": "RO"}, {"path": "/srv/data", "mode": "RW"}]}"#

  @Test(arguments: [
    ("/srv", false, true, "host_paths[0]"), ("/srv", true, false, "host_paths[0]"),
    ("/srv/x", false, true, "host_paths[0]"),
    ("/srv/data", true, true, "host_paths[1]"), ("/srv/data/../x", true, false, "host_paths[0]"),
    ("/srvx", false, false, nil), ("/srv/data2", true, false, "host_paths[0]"), ("/", false, false, nil),
    ("/srv/link", false, false, nil), ("/missing", false, false, nil), ("/srv/colon", false, true, "host_paths[0]"),
  ])
  func hostPaths(path: String, writable: Bool, isGiven: Bool, rule: String?) throws {
    let found = try ruling(.hostPath(path, writable: writable), Self.paths)
    #expect(found.isGiven == isGiven && found.rule?.name == rule, "\(found)")
    #expect(try !ruling(.hostPath(path, writable: writable), "{}").isGiven)
  }

  @Test func aColonIsNoPathForAnEngine() throws {
    #expect(try !ruling(.hostPath("/srv/colon", writable: false), Self.paths, engine: true).isGiven)
  }

  @Test func whatAnEngineLeavesWritableNeedsLeaveToWrite() throws {
    let rules = #"{"host_paths": [{"path": "/srv", "mode": "RO"}, {"path": "/srv/data", "mode": "RW"}]}"#
    func isGiven(_ path: String, _ text: String, leaves: Bool) throws -> Bool {
      try ruling(.hostPath(path, writable: false, leavesMounts: leaves), text, engine: true).isGiven
    }
    #expect(try !isGiven("/srv", rules, leaves: true) && !isGiven("/srv/mounts", rules, leaves: true))
    #expect(try isGiven("/srv", rules, leaves: false))
    #expect(try isGiven("/srv/mounts/inner", rules, leaves: true) && isGiven("/srv/data", rules, leaves: true))
    #expect(try isGiven("/srv", #"{"host_paths": [{"path": "/srv", "mode": "RW"}]}"#, leaves: true))
  }

  @Test func mountsBelowAPathAreFoundByWholeNames() {
    let text = Array(
      "1 0 8:1 / / rw - ext4 x rw\n2 1 8:2 / /srv rw - ext4 x rw\n3 2 0:5 / /srv/a\\040b rw - tmpfs x rw\n".utf8)
    func below(_ path: String) -> String? { HostMounts.below(Array(path.utf8), mountinfo: text) }
    #expect(below("/srv") == "/srv/a b" && below("/") == "/srv" && below("/srv/a b") == nil && below("/sr") == nil)
  }

  @Test func whatNoTaskCanHaveIsNeverGiven() throws {
    let everything = #"{"docker_parameters": "all", "privileged": true, "seccomp": ["/"]}"#
    let found = try ruling(.impossible("env-file", reason: "why"), everything)
    #expect(!found.isGiven && found.reason == "no task can have it: why")
  }

  @Test func whatIsMountedIsWhatWasJudged() throws {
    let everything = #"{"host_paths": [{"path": "/", "mode": "RW"}]}"#
    #expect(try ruling(.hostPath("/srv/link", writable: true), everything).resolved == "/etc")
    var leave = PolicyLeave(try policy(everything), paths: [.init(written: "/srv/link", resolved: "/etc")])
    var task = TaskSpecification(name: "t", processes: [])
    task.container = .mesos(
      MesosContainer(volumes: [.init(containerPath: "/x", hostPath: "/srv/link", mode: .readOnly)]))
    guard case .mesos(let container) = leave.applied(to: task).container else { return }
    #expect(container.volumes.first?.hostPath == "/etc")
    var config = HostConfig()
    config.binds = ["name:/srv/link"].compactMap(Bind.init)
    config.mounts = [MountSpec(.bind, source: "/srv/link", target: "/y")]
    leave.ceilings[.shm] = 4096
    config.govern(leave)
    #expect(config.binds.map(\.text) == ["name:/srv/link"] && config.mounts[0].source == "/etc")
    #expect(config.shmSize == 4096)
  }

  @Test func namesOfParametersAreTheCommandLinesOrThePolicys() throws {
    let volume = Demand.Kind.dockerParameter("volume")
    #expect(try !ruling(volume, "{}").isGiven)
    #expect(try ruling(volume, #"{"docker_parameters": "all"}"#).isGiven)
    #expect(try ruling(volume, #"{"docker_parameters": ["volume"]}"#).rule?.name == "docker_parameters[0]")
    let words = OperatorWords(dockerParameters: true)
    #expect(try ruling(volume, "{}", words: words).isGiven)
    #expect(try !ruling(volume, #"{"docker_parameters": "all"}"#, words: words, allowed: "env").isGiven)
    #expect(try !ruling(.dockerParameter("bogus"), #"{"docker_parameters": "all"}"#).isGiven)
    // A name gives nothing of what its value asks for.
    #expect(try !ruling(.hostPath("/x", writable: false), #"{"docker_parameters": "all"}"#, words: words).isGiven)
  }

  @Test(arguments: [
    (Demand.Kind.capability("SYS_ADMIN"), #"{"capabilities": ["SYS_ADMIN"]}"#),
    (.capability("SYS_ADMIN"), #"{"capabilities": ["ALL"]}"#), (.capability("ALL"), #"{"capabilities": ["ALL"]}"#),
    (.namespace(.pid), #"{"host_namespaces": ["pid"]}"#), (.privilege(.apparmor), #"{"privileged": true}"#),
    (.privilege(.container), #"{"privileged": ["container"]}"#),
    (.privilege(.volumes), #"{"privileged": ["volumes"]}"#), (.device("gpus"), #"{"devices": ["gpus"]}"#),
    (.device("/dev/snd/x"), #"{"devices": ["/dev/snd"]}"#), (.seccomp("unconfined"), #"{"seccomp": ["unconfined"]}"#),
    (.seccomp("/p/a.json"), #"{"seccomp": ["/p"]}"#), (.network("web"), #"{"networks": ["web"]}"#),
  ])
  func wordsGive(kind: Demand.Kind, text: String) throws {
    #expect(try ruling(kind, text).isGiven)
    #expect(try !ruling(kind, "{}").isGiven)
  }

  @Test func someOfItIsNotAllOfIt() throws {
    #expect(try !ruling(.capability("ALL"), #"{"capabilities": ["SYS_ADMIN"]}"#).isGiven)
    #expect(try !ruling(.privilege(.container), #"{"privileged": ["apparmor"]}"#).isGiven)
    #expect(try !ruling(.privilege(.container), #"{"privileged": false}"#).isGiven)
    #expect(try !ruling(.device("/dev/sndx"), #"{"devices": ["/dev/snd"]}"#).isGiven)
    #expect(try !ruling(.device("gpus"), #"{"devices": ["/"]}"#).isGiven)
    #expect(try !ruling(.seccomp("unconfined"), #"{"seccomp": ["/"]}"#).isGiven)
    #expect(try !ruling(.network(""), #"{"networks": ["web"]}"#).isGiven)
  }

  @Test func ceilings() throws {
    let text = #"{"ceilings": {"pids": 10, "runs": 2}}"#
    #expect(try ruling(.amount(.pids, 10), text).isGiven && !ruling(.amount(.pids, 11), text).isGiven)
    #expect(try !ruling(.amount(.pids, nil), text).isGiven)
    #expect(try ruling(.amount(.shm, nil), text).isGiven)
    #expect(try !ruling(.amount(.runs, 3), text).isGiven)
    #expect(try ruling(.amount(.runs, 3), text, words: .init(maxRuns: true)).isGiven)
  }

  @Test func whatIsNotAskedForIsAtMostTheCeiling() throws {
    let text =
      #"{"ceilings": {"pids": 10, "finalization_wait": 3},"#
      + #" "defaults": {"resources": {"cpu": 2, "ram": 1048576, "disk": 0, "pids": 99}}}"#
    let leave = PolicyLeave(try policy(text), paths: [])
    let task = leave.applied(to: TaskSpecification(name: "t", processes: []))
    #expect(task.resources == Resources(cpu: 2, ram: 1 << 20, disk: 0, pids: 10) && task.finalizationWait == 3)
    let own = Resources(cpu: 1, ram: 1 << 21, disk: 5)
    let kept = leave.applied(to: TaskSpecification(name: "t", processes: [], resources: own))
    #expect(kept.resources == Resources(cpu: 1, ram: 1 << 21, disk: 5, pids: 10))
  }

  @Test func theJournalKeepsWhatAPolicyMadeOfARun() throws {
    var policy = try policy(
      #"{"host_paths": [{"path": "/s", "mode": "RO"}, {"path": "/w", "mode": "RW"}],"#
        + #" "ceilings": {"shm": 4096}, "defaults": {"resources": {"cpu": 2, "ram": 1048576, "disk": 0}}}"#)
    (policy.file, policy.digest) = ("/p", "sha256:0")
    var settings = RunSettings(role: "svc", hostname: "h", isolation: [])
    settings.policy = PolicyLeave(policy, paths: [.init(written: "/a", resolved: "/b")])
    #expect(settings.policy?.writablePaths == ["/w"])
    settings.logBytes = 77
    #expect(RunSettings(json: try JSON(parsing: settings.json.compactBytes)) == settings)
    let broken = JSON(.object((settings.json.members ?? []).map { $0.key == "policy" ? .init("policy", 1) : $0 }))
    #expect(RunSettings(json: broken) == nil)
    let alone: JSON = [["key"]]
    let unpaired = JSON(
      .object((settings.json.members ?? []).map { $0.key == "bindings" ? .init("bindings", alone) : $0 }))
    #expect(RunSettings(json: unpaired) == nil)
  }

  // MARK: Properties

  private static let kinds: [Demand.Kind] =
    [
      .role(name: "svc", uid: 33), .role(name: "root", uid: 0), .role(name: "toor", uid: 0),
      .hostPath("/srv/a", writable: true), .hostPath("/srv", writable: false), .hostPath("/srv/link", writable: false),
      .hostPath("/etc", writable: false), .hostPath("/missing", writable: true), .capability("SYS_ADMIN"),
      .capability("ALL"),
      .device("/dev/fuse"), .device("gpus"), .device("c *:* rwm"), .seccomp("unconfined"), .seccomp("/p/x"),
      .network("web"), .network(""),
    ]
    + HostNamespace.allCases.map { .namespace($0) } + Privilege.allCases.map { .privilege($0) }
    + DockerRunOptions.names.map { .dockerParameter($0) }

  /// A policy as lists of entries, from which some can be taken.
  private struct Draft {
    var members: [(String, [JSON])] = []

    init(using random: inout SystemRandomNumberGenerator) {
      func some(_ all: [JSON]) -> [JSON] { all.filter { _ in Bool.random(using: &random) } }
      let words: [(String, [JSON])] = [
        ("capabilities", ["SYS_ADMIN", "ALL", "BPF"]),
        ("host_namespaces", HostNamespace.allCases.map { JSON($0.rawValue) }),
        ("docker_parameters", DockerRunOptions.names.map { JSON($0) }),
        ("privileged", Privilege.allCases.map { JSON($0.rawValue) }), ("devices", ["/dev", "gpus", "c *:* rwm"]),
        ("seccomp", ["unconfined", "/p"]), ("networks", ["web"]),
        (
          "host_paths",
          ["/", "/srv", "/etc", "/srv/a"].flatMap { path in
            ["RO", "RW"].map { JSON(object: [("path", JSON(path)), ("mode", $0)]) }
          }
        ),
      ]
      for (name, all) in words { members.append((name, some(all))) }
      members.append(("allow", ["*"] + some(["svc", "root", "toor"])))
    }

    var text: String {
      JSON(
        object: members.map { name, items in
          name == "allow" ? ("roles", JSON(object: [("allow", JSON(items))])) : (name, JSON(items))
        }
      ).compact
    }
  }

  @Test func anotherEntryNeverTakesLeaveAway() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<60 {
      let large = Draft(using: &random)
      var small = large
      let member = Int.random(in: small.members.indices, using: &random)
      guard let entry = small.members[member].1.indices.randomElement(using: &random) else { continue }
      small.members[member].1.remove(at: entry)
      let (less, more) = (try judge(small.text), try judge(large.text))
      for kind in Self.kinds {
        let demand = Demand(kind, .init(.document))
        guard less.ruling(demand).isGiven, !more.ruling(demand).isGiven else { continue }
        Issue.record("\(kind): \(small.text) gives what \(large.text) does not")
      }
    }
  }

  @Test func anEmptyPolicyGivesNothingOfTheHost() throws {
    for kind in Self.kinds {
      let isOrdinaryRole = kind == .role(name: "svc", uid: 33)
      #expect(try ruling(kind, "{}").isGiven == isOrdinaryRole, "\(kind)")
    }
  }

  /// A denial says where: a rule that denies, or the member that has none.
  @Test func everyRulingHasItsReason() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20 {
      let judge = try judge(Draft(using: &random).text)
      for kind in Self.kinds {
        let found = judge.ruling(Demand(kind, .init(.document)))
        #expect(!found.reason.isEmpty)
        if found.isGiven { #expect(found.rule != nil) }
      }
    }
  }
}
