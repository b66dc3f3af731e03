import LinuxKernel
import StrictJSON

extension SeccompProfile {
  /// What a profile may have at most.
  package static let limits = JSON.Limits(depth: 8, bytes: 1 << 20)

  /// Reads a profile in Docker's JSON format. What is not known there is an error: a refusal that was misspelled is none.
  package init(parsing bytes: [UInt8]) throws(JSONError) {
    let json = try JSON(parsing: bytes, limits: SeccompProfile.limits)
    self = try ProfileReader.profile(json)
  }
}

/// The decoder: JSON in, a profile or the first fault with its place out.
private enum ProfileReader {
  static func profile(_ json: JSON) throws(JSONError) -> SeccompProfile {
    let object = try Object(
      json, "a profile",
      [
        "defaultAction", "defaultErrnoRet", "archMap", "architectures", "syscalls", "flags", "listenerPath",
        "listenerMetadata",
      ])
    for key in ["listenerPath", "listenerMetadata"] {
      if let member = object.member(key) {
        throw fault(member.position, "\(key) is for SCMP_ACT_NOTIFY, and nobody here would answer a task's calls")
      }
    }
    if let flags = object["flags"] {
      for flag in try items(flags, "flags") where try text(flag, "a flag") != "SECCOMP_FILTER_FLAG_SPEC_ALLOW" {
        throw fault(flag.position, "only the flag SECCOMP_FILTER_FLAG_SPEC_ALLOW is supported, which is always set")
      }
    }
    guard let action = object["defaultAction"] else {
      throw fault(json.position, "defaultAction is missing")
    }
    var profile = SeccompProfile(
      defaultAction: try self.action(action, errno: object["defaultErrnoRet"], "defaultErrnoRet"))
    try readArchitectures(object, into: &profile)
    guard let calls = object["syscalls"] else { return profile }
    for item in try items(calls, "syscalls") { profile.entries.append(try entry(item)) }
    return profile
  }

  private static func readArchitectures(_ object: Object, into profile: inout SeccompProfile) throws(JSONError) {
    if let list = object["architectures"] {
      if let map = object.member("archMap"), object["archMap"] != nil {
        throw fault(map.position, "architectures and archMap exclude each other")
      }
      var names: [String] = []
      for item in try items(list, "architectures") { names.append(try architecture(item)) }
      for name in names { profile.architectures[name] = names }
    }
    guard let map = object["archMap"] else { return }
    for item in try items(map, "archMap") {
      let pair = try Object(item, "an entry of archMap", ["architecture", "subArchitectures"])
      guard let own = pair["architecture"] else { throw fault(item.position, "architecture is missing") }
      let name = try architecture(own)
      guard profile.architectures[name] == nil else { throw fault(own.position, "\(name) is there twice") }
      var others: [String] = []
      if let list = pair["subArchitectures"] {
        for other in try items(list, "subArchitectures") { others.append(try architecture(other)) }
      }
      profile.architectures[name] = others
    }
  }

  private static func entry(_ json: JSON) throws(JSONError) -> SeccompProfile.Entry {
    let object = try Object(
      json, "an entry of syscalls",
      ["names", "name", "action", "errnoRet", "args", "comment", "includes", "excludes"])
    if let comment = object["comment"] { _ = try text(comment, "comment") }
    var names: [String] = []
    switch (object["names"], object["name"]) {
    case (let list?, nil):
      for item in try items(list, "names") { names.append(try callName(item)) }
      if names.isEmpty { throw fault(list.position, "names is empty") }
    case (nil, let one?): names = [try callName(one)]
    case (nil, nil): throw fault(json.position, "names is missing")
    case (_?, let one?): throw fault(one.position, "name and names exclude each other")
    }
    guard let action = object["action"] else { throw fault(json.position, "action is missing") }
    var entry = SeccompProfile.Entry(names, try self.action(action, errno: object["errnoRet"], "errnoRet"))
    if let list = object["args"] {
      for item in try items(list, "args") {
        let condition = try self.condition(item)
        if entry.conditions.contains(where: { $0.index == condition.index }) {
          throw fault(item.position, "a second condition on argument \(condition.index); write an entry for each")
        }
        entry.conditions.append(condition)
      }
    }
    if let includes = object["includes"] { entry.includes = try circumstance(includes, "includes") }
    if let excludes = object["excludes"] { entry.excludes = try circumstance(excludes, "excludes") }
    return entry
  }

  private static func condition(_ json: JSON) throws(JSONError) -> SeccompProfile.Condition {
    let object = try Object(json, "an entry of args", ["index", "value", "valueTwo", "op"])
    guard let index = object["index"] else { throw fault(json.position, "index is missing") }
    guard let number = index.integer, (0...5).contains(number) else {
      throw fault(index.position, "index is the number of an argument, 0 to 5")
    }
    guard let value = object["value"] else { throw fault(json.position, "value is missing") }
    guard let op = object["op"] else { throw fault(json.position, "op is missing") }
    let word = try text(op, "op")
    guard let comparison = SeccompProfile.Comparison(rawValue: word) else {
      let known = SeccompProfile.Comparison.allCases.map(\.rawValue).joined(separator: ", ")
      throw fault(op.position, "unknown op \(word.quotedForMessage); there are \(known)")
    }
    let second = try object["valueTwo"].map { (json) throws(JSONError) in try unsigned(json, "valueTwo") } ?? 0
    let first = try unsigned(value, "value")
    if comparison == .maskedEqual, second & ~first != 0, let member = object["valueTwo"] {
      throw fault(member.position, "valueTwo has bits that value has not, so the condition would never hold")
    }
    return SeccompProfile.Condition(UInt32(number), comparison, first, second)
  }

  private static func circumstance(_ json: JSON, _ name: String) throws(JSONError) -> SeccompProfile.Circumstance {
    let object = try Object(json, name, ["caps", "arches", "minKernel"])
    var result = SeccompProfile.Circumstance()
    if let list = object["caps"] {
      for item in try items(list, "caps") {
        let word = try text(item, "a capability")
        guard word.utf8.starts(with: "CAP_".utf8), let capability = Capabilities(name: word) else {
          throw fault(item.position, "unknown capability \(word.quotedForMessage); capabilities(7) lists them")
        }
        result.capabilities.append(capability)
      }
    }
    if let list = object["arches"] {
      for item in try items(list, "arches") {
        let word = try text(item, "an architecture")
        guard Architecture.allGoNames.contains(word) else {
          throw fault(
            item.position, "unknown architecture \(word.quotedForMessage); they are named as in Go: amd64, arm64")
        }
        result.architectures.append(word)
      }
    }
    if let version = object["minKernel"] {
      let word = try text(version, "minKernel")
      guard let least = SeccompProfile.KernelVersion(word) else {
        throw fault(
          version.position, "minKernel is a version of the kernel such as \"4.8\", not \(word.quotedForMessage)")
      }
      result.leastKernel = least
    }
    return result
  }

  private static func action(_ json: JSON, errno: JSON?, _ errnoKey: String) throws(JSONError) -> SeccompProfile.Action
  {
    let word = try text(json, "an action")
    var code: UInt16?
    if let errno {
      let number = try unsigned(errno, errnoKey)
      guard number <= 4095 else { throw fault(errno.position, "\(errnoKey) is the number of an error, at most 4095") }
      code = UInt16(number)
    }
    let action: SeccompProfile.Action
    switch word {
    case "SCMP_ACT_ERRNO": return .errno(code ?? 1)
    case "SCMP_ACT_TRACE": return .trace(code ?? 1)
    case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD": action = .killThread
    case "SCMP_ACT_KILL_PROCESS": action = .killProcess
    case "SCMP_ACT_TRAP": action = .trap
    case "SCMP_ACT_LOG": action = .log
    case "SCMP_ACT_ALLOW": action = .allow
    case "SCMP_ACT_NOTIFY":
      throw fault(json.position, "SCMP_ACT_NOTIFY is not supported: nobody here would answer a task's calls")
    default: throw fault(json.position, "unknown action \(word.quotedForMessage)")
    }
    if let errno, code != nil { throw fault(errno.position, "\(errnoKey) goes with SCMP_ACT_ERRNO, not with \(word)") }
    return action
  }

  private static func architecture(_ json: JSON) throws(JSONError) -> String {
    let word = try text(json, "an architecture")
    guard Architecture.allNames.contains(word) else {
      throw fault(json.position, "unknown architecture \(word.quotedForMessage); they are named as SCMP_ARCH_X86_64 is")
    }
    return word
  }

  /// A name that looks like one of a call. Whether there is such a call depends on the architecture and on libseccomp.
  private static func callName(_ json: JSON) throws(JSONError) -> String {
    let word = try text(json, "a name of a system call")
    let isName = word.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || byte == UInt8(ascii: "_")
    }
    guard (1...64).contains(word.utf8.count), isName else {
      throw fault(json.position, "\(word.quotedForMessage) is no name of a system call")
    }
    return word
  }

  private static func items(_ json: JSON, _ name: String) throws(JSONError) -> [JSON] {
    guard let items = json.array else { throw fault(json.position, "\(name) is \(json.kind), not an array") }
    return items
  }

  private static func text(_ json: JSON, _ name: String) throws(JSONError) -> String {
    guard let text = json.string else { throw fault(json.position, "\(name) is \(json.kind), not a string") }
    return text
  }

  private static func unsigned(_ json: JSON, _ name: String) throws(JSONError) -> UInt64 {
    if case .number(let number) = json.value {
      if let plain = number.integer, let value = UInt64(exactly: plain) { return value }
      if let value = UInt64(number.text) { return value }
    }
    throw fault(json.position, "\(name) is a whole number of 64 bits and not negative")
  }

  static func fault(_ position: JSON.Position, _ message: String) -> JSONError {
    JSONError(position: position, message: message)
  }

  /// An object with no other members than these. `null` stands for nothing, as Docker writes it.
  struct Object {
    private let json: JSON

    init(_ json: JSON, _ name: String, _ keys: [String]) throws(JSONError) {
      guard let members = json.members else { throw fault(json.position, "\(name) is \(json.kind), not an object") }
      for member in members where !keys.contains(where: { $0.utf8.elementsEqual(member.key.utf8) }) {
        throw fault(
          member.position,
          "unknown key \(member.key.quotedForMessage) in \(name); there are \(keys.joined(separator: ", "))")
      }
      self.json = json
    }

    subscript(key: String) -> JSON? { json[key].flatMap { $0.isNull ? nil : $0 } }

    func member(_ key: String) -> JSON.Member? {
      json.members?.first { $0.key.utf8.elementsEqual(key.utf8) && !$0.value.isNull }
    }
  }
}

extension SeccompProfile.KernelVersion {
  /// `6.1`, and from a running kernel `6.1.0-13-amd64`: what follows the second number is not looked at.
  package init?(release: String) {
    let numbers = release.utf8.split(separator: UInt8(ascii: "."), maxSplits: 2, omittingEmptySubsequences: false)
    guard numbers.count >= 2 else { return nil }
    let minor = numbers[1].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    self.init(String(decoding: numbers[0], as: UTF8.self) + "." + String(decoding: minor, as: UTF8.self))
  }

  /// Two numbers with a point between them.
  init?(_ text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.count <= 5 && $0.first != UInt8(ascii: "+") }),
      let major = Int(String(decoding: parts[0], as: UTF8.self)),
      let minor = Int(String(decoding: parts[1], as: UTF8.self)), major >= 0, minor >= 0
    else { return nil }
    self.init(major, minor)
  }
}
