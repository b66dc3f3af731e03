import StrictJSON
import Testing

@testable import TaskModel

/// That the schema, the decoder and the typed task say the same.
@Suite struct SchemaTests {
  /// A document of each shape with every record that there is.
  private static let containers = [
    #"""
    {"mesos":{"image":{"docker":{"name":"debian","tag":"bookworm"}},
      "volumes":[{"container_path":"/a","host_path":"/b","mode":"RO"},
        {"container_path":"/c","mode":"RW","source":{"type":"SANDBOX_PATH","sandbox_path":{"path":"d"}}},
        {"container_path":"/e","mode":"RW","source":{"type":"HOST_PATH","host_path":{"path":"/f"}}}],
      "linux_info":{"bounding_capabilities":{"capabilities":["CHOWN","KILL"]},
        "effective_capabilities":{"capabilities":["KILL"]},"share_pid_namespace":true,
        "ipc_mode":"PRIVATE","shm_size":64,"seccomp":{"profile_name":"default"}},
      "rlimit_info":{"rlimits":[{"type":"RLMT_NOFILE","hard":10,"soft":5}]},
      "network_infos":[{"name":"n"}],"tty_info":{"window_size":{"rows":24,"columns":80}}}}
    """#,
    #"{"mesos":{"image":{"appc":{"name":"example.com/hello","image_id":"sha512-00"}}}}"#,
    #"""
    {"docker":{"image":"python:3.11","parameters":[{"name":"volume","value":"/a:/b:ro"}],"network":"BRIDGE",
      "port_mappings":[{"host_port":8080,"container_port":80,"protocol":"udp"}],"privileged":true,"force_pull_image":1}}
    """#,
  ]

  private static let full = #"""
    {"role":"svc","cluster":"c","environment":"e","name":"job","container":CONTAINER,
     "health_check_config":{"health_checker":{"http":{"endpoint":"/h"}}},
     "lifecycle":{"http":{"port":"http"}},"announce":{"primary_port":"http","portmap":{"health":"http"}},
     "task":{"name":"t","resources":{"cpu":1,"ram":67108864,"disk":3145728},
       "processes":[{"name":"p","cmdline":"x","logger":{"mode":"rotate","rotate":{}},"backoff":{},
         "health_check_config":{"health_checker":{"tcp":{"port":"http"}}}},
         {"name":"q","cmdline":"y","final":false,"after":{"p":"healthy"}}, {"name":"r","cmdline":"z","after":["q"]}],
       "constraints":[{"order":["p","q"]}]},
     "update_config":{},"executor_config":{},"partition_policy":{},"metadata":[{"key":"k","value":"v"}]}
    """#

  private static var documents: [String] {
    containers.map { full.replacing("CONTAINER", with: $0) } + [auroraJob]
  }

  @Test func everyFieldIsInTheSchemaWithItsDefault() throws {
    let definitions = try #require(TaskSchema.json["$defs"])
    for record in Self.records {
      let definition = try #require(definitions[record.name])
      #expect(definition["properties"]?.members?.map(\.key) == record.fields.map(\.name))
      #expect((definition["required"]?.array ?? []).map(\.string) == record.fields.filter(\.isRequired).map(\.name))
      for field in record.fields {
        #expect(definition["properties"]?[field.name]?["default"]?.compact == field.standard?.compact)
        #expect(!field.note.isEmpty)
      }
    }
  }

  @Test func whatIsValidIsValidForBoth() throws {
    for text in Self.documents {
      #expect(faults(text) == [])
      #expect(Validator().accepts(try JSON(parsing: Array(text.utf8))))
    }
  }

  /// Puts a value of a wrong type, and an unknown key, in every place in turn.
  @Test func whatIsWrongIsWrongForBoth() throws {
    for text in Self.documents {
      let json = try JSON(parsing: Array(text.utf8))
      for wrong: JSON in [JSON([[JSON([])]]), JSON(object: [("no such key", 1)]), -7, "\u{0}"] {
        for place in Self.places(in: json) {
          let changed = Self.replace(json, place) { _ in wrong }
          let (_, diagnostics) = TaskDocument.decode(changed.compactBytes)
          let isRefused = diagnostics.contains { $0.kind != .plan && $0.kind != .unbound && $0.kind != .advice }
          #expect(isRefused != Validator().accepts(changed), "\(place): \(wrong.compact) \(diagnostics)")
        }
      }
    }
  }

  /// A default is the same whether it is written or not.
  @Test func defaultsOfTheTableAreTheDefaultsOfTheTask() throws {
    let bindings = Bindings(taskID: "t", hostname: "h", ports: ["http": 1000])
    for text in Self.documents {
      let json = try JSON(parsing: Array(text.utf8))
      let written = Self.fill(json, .record(JobFields.record))
      #expect(written.compactBytes.count > json.compactBytes.count)
      #expect(
        try bound(String(decoding: written.compactBytes, as: UTF8.self), bindings)
          == (try bound(text, bindings)))
    }
  }

  /// Every value that a run depends on changes the task when it changes.
  @Test func noFieldIsReadAndForgotten() throws {
    let bindings = Bindings(taskID: "t", hostname: "h", ports: ["http": 1000, "other": 1001, "health": 1002])
    for text in Self.documents {
      let json = Self.fill(try JSON(parsing: Array(text.utf8)), .record(JobFields.record))
      let plain = try bound(String(decoding: json.compactBytes, as: UTF8.self), bindings)
      var changes = 0
      Self.forEachLeaf(json, .record(JobFields.record)) { place, type in
        guard let changed = Self.different(json, place, type) else { return }
        let (document, _) = TaskDocument.decode(changed.compactBytes)
        // What depends on another field may be refused; that is another way to be read.
        guard let task = document?.bind(bindings).task else { return }
        changes += 1
        let isSame = task == plain
        #expect(!isSame, "\(place) has no effect")
      }
      #expect(changes > 30)
    }
  }

  // MARK: Walking tables and documents

  private static var records: [RecordType] {
    var found: [RecordType] = []
    func visit(_ type: FieldType) {
      switch type {
      case .list(let element, _), .map(let element): visit(element)
      case .record(let record):
        guard !found.contains(where: { $0 === record }) else { return }
        found.append(record)
        record.fields.forEach { visit($0.type) }
      case .variants(let variants): variants.options.forEach { visit(.record($0.record)) }
      default: break
      }
    }
    for shape in [JobFields.record, InstanceFields.record, BareTaskFields.record] { visit(.record(shape)) }
    return found
  }

  private typealias Place = [String]

  private static func places(in json: JSON) -> [Place] {
    var places: [Place] = []
    switch json.value {
    case .object(let members):
      for member in members { places += [[member.key]] + self.places(in: member.value).map { [member.key] + $0 } }
    case .array(let items):
      for (index, item) in items.enumerated() {
        places += [["\(index)"]] + self.places(in: item).map { ["\(index)"] + $0 }
      }
    default: break
    }
    // What only a scheduler looks into, and what is kept as it is, may be anything in one of the two.
    return places.filter { !$0.contains("network_infos") && !$0.contains("resources") }
  }

  private static func replace(_ json: JSON, _ place: Place, _ change: (JSON) -> JSON) -> JSON {
    guard let first = place.first else { return change(json) }
    let rest = Array(place.dropFirst())
    switch json.value {
    case .object(let members):
      return JSON(
        .object(members.map { $0.key == first ? JSON.Member($0.key, replace($0.value, rest, change)) : $0 }))
    case .array(let items):
      return JSON(.array(items.enumerated().map { "\($0)" == first ? replace($1, rest, change) : $1 }))
    default: return json
    }
  }

  /// The document with every default written out.
  private static func fill(_ json: JSON, _ type: FieldType) -> JSON {
    switch (type, json.value) {
    case (.list(let element, _), .array(let items)): return JSON(items.map { fill($0, element) })
    case (.record(let record), .object(let members)):
      var filled = members.map { member in
        JSON.Member(member.key, record[member.key].map { fill(member.value, $0.type) } ?? member.value)
      }
      for field in record.fields where json[field.name] == nil {
        if let standard = field.standard { filled.append(JSON.Member(field.name, standard)) }
      }
      return JSON(.object(filled))
    case (.variants(let variants), .object):
      guard let (option, inner, isWrapped) = variants.unwrap(json) else { return json }
      let filled = fill(inner, .record(option.record))
      return isWrapped ? JSON(object: [(option.key, filled)]) : filled
    default: return json
    }
  }

  private static func forEachLeaf(
    _ json: JSON, _ type: FieldType, _ place: Place = [], _ body: (Place, FieldType) -> Void
  ) {
    switch (type, json.value) {
    case (.list(let element, _), .array(let items)):
      for (index, item) in items.enumerated() { forEachLeaf(item, element, place + ["\(index)"], body) }
    case (.record(let record), .object(let members)):
      for member in members {
        guard let field = record[member.key], !field.isIgnored else { continue }
        forEachLeaf(member.value, field.type, place + [member.key], body)
      }
    case (.variants(let variants), .object):
      guard let (option, inner, isWrapped) = variants.unwrap(json) else { return }
      forEachLeaf(inner, .record(option.record), place + (isWrapped ? [option.key] : []), body)
    case (.names(let rule, _), .array): forEachLeaf(json, .list(.text(rule)), place, body)
    case (.names(_, let words), .object(let members)):
      for member in members { forEachLeaf(member.value, .choice(words), place + [member.key], body) }
    case (.record, _), (.list, _), (.map, _), (.variants, _), (.kept, _), (.names, _): return
    default: body(place, type)
    }
  }

  /// The document with another value in one place.
  private static func different(_ json: JSON, _ place: Place, _ type: FieldType) -> JSON? {
    replace(json, place) { old in
      switch type {
      case .flag: JSON(!(old.bool ?? (old.integer == 1)))
      case .integer(let range): JSON(old.integer == range.upperBound ? range.lowerBound : (old.integer ?? 0) + 1)
      case .number(let range, _): JSON(old.double == range.upperBound ? range.lowerBound : (old.double ?? 0) + 1)
      case .choice(let words): JSON(words.first { $0 != old.string } ?? "")
      case .signal: JSON(old.string == "SIGTERM" ? "SIGINT" : "SIGTERM")
      case .text(.role): "another"
      case .text(.path), .text(.absolutePath): JSON((old.string ?? "") + "x")
      case .text where place.last == "port": "other"
      case .text: JSON((old.string ?? "") + "x")
      default: old
      }
    }
  }
}

/// As much of JSON Schema as the schema uses.
private struct Validator {
  private let schema = TaskSchema.json

  func accepts(_ json: JSON) -> Bool { accepts(json, schema) }

  private func accepts(_ json: JSON, _ schema: JSON) -> Bool {
    if let reference = schema["$ref"]?.string {
      let name = String(reference.dropFirst("#/$defs/".count))
      guard let definition = self.schema["$defs"]?[name], accepts(json, definition) else { return false }
    }
    if let options = schema["anyOf"]?.array, !options.contains(where: { accepts(json, $0) }) { return false }
    if let words = schema["enum"]?.array, !words.contains(where: { $0.compact == json.compact }) { return false }
    switch schema["type"]?.string {
    case "object"?: if json.members == nil { return false }
    case "array"?: if json.array == nil { return false }
    case "string"?: if json.string == nil { return false }
    case "integer"?: if json.integer == nil { return false }
    case "number"?: if json.double == nil { return false }
    default: break
    }
    if let number = json.double {
      if let least = schema["minimum"]?.double, number < least { return false }
      if let most = schema["maximum"]?.double, number > most { return false }
      if let bound = schema["exclusiveMinimum"]?.double, number <= bound { return false }
    }
    if let text = json.string {
      if let most = schema["maxLength"]?.integer, text.unicodeScalars.count > most { return false }
      if let pattern = schema["pattern"]?.string, let regex = try? Regex(pattern), !text.contains(regex) {
        return false
      }
    }
    if let items = json.array {
      if let least = schema["minItems"]?.integer, items.count < least { return false }
      if let item = schema["items"], !items.allSatisfy({ accepts($0, item) }) { return false }
    }
    guard let members = json.members else { return true }
    for key in schema["required"]?.array ?? [] where json[key.string ?? ""] == nil { return false }
    for member in members {
      if let names = schema["propertyNames"], !accepts(JSON(member.key), names) { return false }
      if let property = schema["properties"]?[member.key] {
        if !accepts(member.value, property) { return false }
      } else if let rest = schema["additionalProperties"] {
        if rest.bool == false || (rest.bool == nil && !accepts(member.value, rest)) { return false }
      }
    }
    return true
  }
}
