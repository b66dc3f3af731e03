import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import Testing

@testable import DockerEngineClient
@testable import OperatorPolicy

/// What a policy may hold, and what is said of one that is wrong.
struct PolicyFileTests {
  private func faults(_ text: String) -> [String] { Policy.decode(Array(text.utf8)).faults.map(\.description) }

  @Test(arguments: [
    (#"{"ceilngs": {}}"#, #"1:2: unknown member "ceilngs" (did you mean "ceilings"?)"#),
    ("{\"host_paths\": [\n  {\"path\": \"/a\"}]}", #"2:3: host_paths[0]: "mode" is missing"#),
    (#"{"host_paths": [{"path": "a", "mode": "RO"}]}"#, #"1:26: host_paths[0].path: "a" is not an absolute path"#),
    (#"{"host_paths": [{"path": "/a/../b", "mode": "RO"}]}"#, #"1:26: host_paths[0].path: "/a/../b" has ".." in it"#),
    (#"{"privileged": 1}"#, "1:16: privileged: expected a boolean or an array, found a number"),
    (
      #"{"docker_parameters": ["volum"]}"#,
      #"1:24: docker_parameters[0]: unknown "volum" (did you mean "volume"?)"#
    ),
    (#"{"docker_parameters": "some"}"#, #"1:23: docker_parameters: unknown "some" (there are all)"#),
    (#"{"roles": {"allow": ["-x"]}}"#, #"1:22: roles.allow[0]: "-x" is neither "*" nor the name of an account"#),
    (#"{"ceilings": {"pids": 0}}"#, "1:23: ceilings.pids: must be a whole number from 1 to 4194304"),
    (#"{"ceilings": {"pids": 1.5}}"#, "1:23: ceilings.pids: must be a whole number from 1 to 4194304"),
    (
      #"{"capabilities": ["CAP_SYS_ADMIN"]}"#,
      #"1:19: capabilities[0]: unknown "CAP_SYS_ADMIN" (did you mean "SYS_ADMIN"?)"#
    ),
    (#"{"seccomp": ["confined"]}"#, #"1:14: seccomp[0]: "confined" is neither "unconfined" nor an absolute path"#),
    (
      #"{"host_namespaces": ["net"]}"#,
      #"1:22: host_namespaces[0]: unknown "net" (there are pid, ipc, uts, cgroup, user)"#
    ),
    (
      #"{"defaults": {"resources": {"cpu": 0, "ram": 1048576, "disk": 0}}}"#,
      "1:36: defaults.resources.cpu: must be a number above 0, at most 65536"
    ),
    ("[]", "1:1: expected an object, found an array"),
    ("{\"roles\": {},\n \"roles\": {}}", "2:2: duplicate key \"roles\""),
    ("", "1:1: the document is empty"),
  ])
  func faultsHaveTheirPlaces(text: String, expected: String) { #expect(faults(text) == [expected]) }

  @Test func everyFaultIsSaidAtOnceInTheOrderOfTheText() {
    let found = faults("{\"x\": 1,\n\"devices\": [1, \"\"],\n\"networks\": {}}")
    #expect(
      found == [
        #"1:2: unknown member "x""#, "2:13: devices[0]: expected a string, found a number",
        #"2:16: devices[1]: "" is empty"#, "3:13: networks: expected an array, found an object",
      ])
  }

  // MARK: Decoder and schema

  private static let full = #"""
    {"$schema": "x", "roles": {"allow": ["*", "root"], "deny": ["games"]},
     "host_paths": [{"path": "/srv", "mode": "RO"}, {"path": "/data", "mode": "RW"}],
     "capabilities": ["SYS_PTRACE", "ALL"], "host_namespaces": ["pid", "ipc", "uts", "cgroup", "user"],
     "docker_parameters": ["env", "volume"], "privileged": ["apparmor"], "devices": ["/dev/fuse", "c 10:229 rwm"],
     "seccomp": ["unconfined", "/etc/profiles"], "networks": ["web"],
     "ceilings": {"pids": 10, "open_files": 64, "shm": 4096, "log_bytes": 1048576, "runs": 3, "processes": 4, "finalization_wait": 5},
     "defaults": {"resources": {"cpu": 0.5, "ram": 1048576, "disk": 0, "pids": 7}}}
    """#
  private static let words = #"{"docker_parameters": "all", "privileged": true}"#

  @Test func aWholePolicyIsDecoded() throws {
    let policy = try #require(Policy.decode(Array(Self.full.utf8)).policy)
    #expect(policy.allowedRoles?.map(\.text) == ["*", "root"] && policy.deniedRoles.map(\.text) == ["games"])
    #expect(policy.hostPaths.map(\.isWritable) == [false, true])
    #expect(policy.hostPaths[1].rule == .init(name: "host_paths[1]", position: .init(line: 2, column: 49)))
    #expect(policy.ceilings.count == Ceiling.allCases.count && policy.ceilings[.runs]?.most == 3)
    #expect(policy.defaultResources == Resources(cpu: 0.5, ram: 1 << 20, disk: 0, pids: 7))
    #expect(policy.dockerParametersText == "env,volume" && policy.allPrivileges == nil)
    let all = try #require(Policy.decode(Array(Self.words.utf8)).policy)
    #expect(all.dockerParametersText == "all" && all.allPrivileges != nil)
  }

  /// What the decoder takes the schema takes, and the other way round: a wrong value in every place in turn.
  @Test func theSchemaSaysWhatTheDecoderDoes() throws {
    var refused = 0
    for text in [Self.full, Self.words, "{}"] {
      let json = try JSON(parsing: Array(text.utf8))
      #expect(Policy.decode(json.compactBytes).policy != nil && accepts(json, PolicySchema.json))
      for place in places(in: json) {
        let wrongs: [JSON] = [
          [["x"]], JSON(object: [("no such key", 1)]), -7, "\u{1}", "", JSON(0.5), "ALL", false,
        ]
        for wrong in wrongs {
          let changed = replace(json, place, wrong)
          let isDecoded = Policy.decode(changed.compactBytes).policy != nil
          if !isDecoded { refused += 1 }
          #expect(isDecoded == accepts(changed, PolicySchema.json), "\(place): \(wrong.compact)")
        }
      }
    }
    #expect(refused > 200)
  }

  @Test func everyMemberIsReadAndNotForgotten() throws {
    let json = try JSON(parsing: Array(Self.full.utf8))
    let whole = try #require(Policy.decode(json.compactBytes).policy)
    #expect(json.members?.map(\.key) == PolicyFields.policy.fields.map(\.name))
    for member in json.members ?? [] where member.key != "$schema" {
      let rest = JSON(.object((json.members ?? []).filter { $0.key != member.key }))
      let less = try #require(Policy.decode(rest.compactBytes).policy)
      #expect(stripped(less) != stripped(whole), "\(member.key) has no effect")
    }
  }

  /// Without positions, which move when a member before goes.
  private func stripped(_ policy: Policy) -> [String] {
    [
      "\(policy.allowedRoles?.map(\.text) ?? ["-"])", "\(policy.deniedRoles.map(\.text))",
      "\(policy.hostPaths.map { "\($0.path) \($0.isWritable)" })", "\(policy.capabilities.map(\.text))",
      "\(policy.namespaces.map(\.text))", policy.dockerParametersText, "\(policy.privileges.map(\.text))",
      "\(policy.devices.map(\.text))", "\(policy.seccomp.map(\.text))", "\(policy.networks.map(\.text))",
      "\(Ceiling.allCases.map { policy.ceilings[$0]?.most ?? -1 })", "\(String(describing: policy.defaultResources))",
    ]
  }

  private func places(in json: JSON) -> [[String]] {
    switch json.value {
    case .object(let members): members.flatMap { m in [[m.key]] + places(in: m.value).map { [m.key] + $0 } }
    case .array(let items):
      items.enumerated().flatMap { index, item in [["\(index)"]] + places(in: item).map { ["\(index)"] + $0 } }
    default: []
    }
  }

  private func replace(_ json: JSON, _ place: [String], _ value: JSON) -> JSON {
    guard let first = place.first else { return value }
    let rest = Array(place.dropFirst())
    switch json.value {
    case .object(let members):
      return JSON(.object(members.map { $0.key == first ? JSON.Member($0.key, replace($0.value, rest, value)) : $0 }))
    case .array(let items): return JSON(items.enumerated().map { "\($0)" == first ? replace($1, rest, value) : $1 })
    default: return json
    }
  }

  /// As much of JSON Schema as this one uses.
  private func accepts(_ json: JSON, _ schema: JSON) -> Bool {
    if let options = schema["anyOf"]?.array { return options.contains { accepts(json, $0) } }
    if let words = schema["enum"]?.array { return words.contains { $0.compact == json.compact } }
    switch schema["type"]?.string {
    case "object"?:
      guard let members = json.members, let properties = schema["properties"] else { return false }
      for key in schema["required"]?.array ?? [] where json[key.string ?? ""] == nil { return false }
      return members.allSatisfy { member in properties[member.key].map { accepts(member.value, $0) } ?? false }
    case "array"?:
      guard let items = json.array, let item = schema["items"] else { return false }
      return items.allSatisfy { accepts($0, item) }
    case "boolean"?: return json.bool != nil
    case "integer"?:
      guard let value = json.integer else { return false }
      return value >= schema["minimum"]?.integer ?? .min && value <= schema["maximum"]?.integer ?? .max
    case "number"?:
      guard let value = json.double else { return false }
      return value > schema["exclusiveMinimum"]?.double ?? -1 && value <= schema["maximum"]?.double ?? 0
    case "string"?:
      guard let text = json.string, let pattern = schema["pattern"]?.string, let regex = try? Regex(pattern) else {
        return false
      }
      return text.contains(regex)
    default: return false
    }
  }
}
