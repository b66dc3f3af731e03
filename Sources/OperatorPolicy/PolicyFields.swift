import DockerEngineClient
import LinuxKernel
import StrictJSON

/// What a member of the policy may hold: decoding, faults and the JSON Schema are made from one table of these.
indirect enum PolicyType: Sendable {
  case flag
  case integer(ClosedRange<Int64>)
  /// A finite number above 0, at most this.
  case positive(Double)
  case text(PolicyText)
  case choice([String])
  case list(PolicyType)
  /// The first one whose kind of value it is.
  case either(PolicyType, PolicyType)
  case record(PolicyRecord)

  /// What it is called in messages.
  var expectation: String {
    switch self {
    case .flag: "a boolean"
    case .integer: "a whole number"
    case .positive: "a number"
    case .text: "a string"
    case .choice(let words): words.count == 1 ? "\"\(words[0])\"" : "a string"
    case .list: "an array"
    case .either(let first, let second): "\(first.expectation) or \(second.expectation)"
    case .record: "an object"
    }
  }
}

/// What a text of the policy must look like.
enum PolicyText: Sendable {
  /// One line, not empty, without control characters.
  case line
  /// The name of an account, or `*`.
  case role
  /// Absolute, without `..`, and no link on its way when the policy is used.
  case path
  /// `unconfined`, or such a path.
  case seccomp

  /// As a regular expression.
  var pattern: String {
    switch self {
    case .line: "^[^\\u0000-\\u001f\\u007f]+$"
    case .role: "^(\\*|[A-Za-z0-9_.][A-Za-z0-9_.-]{0,31})$"
    case .path: "^/[^\\u0000-\\u001f\\u007f]*$"
    case .seccomp: "^(unconfined|/[^\\u0000-\\u001f\\u007f]*)$"
    }
  }

  /// What is wrong with a text, as the end of a sentence about it.
  func problem(with text: String) -> String? {
    let bytes = Array(text.utf8)
    if bytes.isEmpty { return "is empty" }
    if bytes.count > 4095 { return "is longer than 4095 bytes" }
    if bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) { return "has a control character" }
    switch self {
    case .line: return nil
    case .role:
      guard bytes != [UInt8(ascii: "*")] else { return nil }
      let isName = bytes.enumerated().allSatisfy { index, byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."):
          true
        default: byte == UInt8(ascii: "-") && index > 0
        }
      }
      return isName && bytes.count <= 32 ? nil : "is neither \"*\" nor the name of an account"
    case .seccomp where bytes == Array("unconfined".utf8): return nil
    case .path, .seccomp:
      guard bytes.first == UInt8(ascii: "/") else {
        return "is \(isSeccomp ? "neither \"unconfined\" nor" : "not") an absolute path"
      }
      return bytes.pathComponents.contains(Array("..".utf8)) ? "has \"..\" in it" : nil
    }
  }

  private var isSeccomp: Bool { if case .seccomp = self { true } else { false } }
}

/// One member of a record of the policy.
struct PolicyField: Sendable {
  let name: String
  let type: PolicyType
  let isRequired: Bool
  /// One line for the schema.
  let note: String

  init(_ name: String, _ type: PolicyType, required: Bool = false, _ note: String) {
    self.name = name
    self.type = type
    isRequired = required
    self.note = note
  }
}

/// An object of the policy with known members.
struct PolicyRecord: Sendable {
  let fields: [PolicyField]

  subscript(name: String) -> PolicyField? { fields.first { $0.name.utf8.elementsEqual(name.utf8) } }
}

/// The members of a policy.
enum PolicyFields {
  private static let roles = PolicyRecord(fields: [
    PolicyField("allow", .list(.text(.role)), "Accounts, or `*`: every one but uid 0. Absent: `[\"*\"]`."),
    PolicyField("deny", .list(.text(.role)), "Accounts that are refused, whatever `allow` says."),
  ])

  private static let hostPath = PolicyRecord(fields: [
    PolicyField("path", .text(.path), required: true, "The file or directory, with everything below it."),
    PolicyField("mode", .choice(["RO", "RW"]), required: true, "Reading alone, or reading and writing."),
  ])

  private static let ceilings = PolicyRecord(
    fields: Ceiling.allCases.map { PolicyField($0.rawValue, .integer($0.range), $0.note) })

  private static let resources = PolicyRecord(fields: [
    PolicyField("cpu", .positive(65536), required: true, "Cores."),
    PolicyField("ram", .integer((1 << 20)...(1 << 60)), required: true, "Bytes of memory."),
    PolicyField("disk", .integer(0...(1 << 60)), required: true, "Bytes of disk; 0: no limit."),
    PolicyField("pids", .integer(1...4_194_304), "Processes and threads."),
  ])

  /// The whole file.
  static let policy = PolicyRecord(fields: [
    PolicyField("$schema", .text(.line), "Where an editor finds this schema."),
    PolicyField("roles", .record(roles), "Who a task may run as."),
    PolicyField("host_paths", .list(.record(hostPath)), "What of the host's files a task may mount."),
    PolicyField(
      "capabilities", .list(.choice(Capabilities.names + ["ALL"])), "Capabilities beyond the default set."),
    PolicyField(
      "host_namespaces", .list(.choice(HostNamespace.allCases.map(\.rawValue))),
      "Namespaces of the host that a task may share."),
    PolicyField(
      "docker_parameters", .either(.choice(["all"]), .list(.choice(DockerRunOptions.names))),
      "Options of `docker run` that a task may have."),
    PolicyField(
      "privileged", .either(.flag, .list(.choice(Privilege.allCases.map(\.rawValue)))),
      "Walls of a container that a task may take down: `true` for all of them, or their names."),
    PolicyField("devices", .list(.text(.line)), "Device nodes, device rules, CDI names, or `gpus`."),
    PolicyField("seccomp", .list(.text(.seccomp)), "`unconfined`, and paths of profiles."),
    PolicyField("networks", .list(.text(.line)), "Networks that a task may join besides the default ones."),
    PolicyField("ceilings", .record(ceilings), "The most that a task may ask for, and gets when it asks for nothing."),
    PolicyField(
      "defaults",
      .record(
        PolicyRecord(fields: [
          PolicyField("resources", .record(resources), "What a document without resources gets.")
        ])), "What a document that says nothing gets."),
  ])
}

extension PolicyType {
  /// The type as JSON Schema.
  package var schema: JSON {
    switch self {
    case .flag: JSON(object: [("type", "boolean")])
    case .integer(let range):
      JSON(object: [
        ("type", "integer"), ("minimum", JSON(range.lowerBound)), ("maximum", JSON(range.upperBound)),
      ])
    case .positive(let most):
      JSON(object: [("type", "number"), ("exclusiveMinimum", 0), ("maximum", JSON(most))])
    case .text(let rule):
      JSON(object: [("type", "string"), ("maxLength", 4095), ("pattern", JSON(rule.pattern))])
    case .choice(let words): JSON(object: [("enum", JSON(words.map { JSON($0) }))])
    case .list(let element): JSON(object: [("type", "array"), ("items", element.schema)])
    case .either(let first, let second): JSON(object: [("anyOf", JSON([first.schema, second.schema]))])
    case .record(let record): record.schema
    }
  }
}

extension PolicyRecord {
  /// The record as JSON Schema.
  package var schema: JSON {
    let required = fields.filter(\.isRequired).map { JSON($0.name) }
    return JSON(object: [
      ("type", "object"),
      (
        "properties",
        JSON(
          object: fields.map { field in
            let members = field.type.schema.members?.map { ($0.key, Optional($0.value)) } ?? []
            return (field.name, JSON(object: members + [("description", JSON(field.note))]))
          })
      ), ("required", required.isEmpty ? nil : JSON(required)), ("additionalProperties", false),
    ])
  }
}

/// The JSON Schema (draft 2020-12) of a policy.
package enum PolicySchema {
  package static var json: JSON {
    JSON(
      object: [
        ("$schema", "https://json-schema.org/draft/2020-12/schema"), ("title", "Policy of aurora-executor"),
      ] + (PolicyFields.policy.schema.members ?? []).map { ($0.key, Optional($0.value)) })
  }
}
