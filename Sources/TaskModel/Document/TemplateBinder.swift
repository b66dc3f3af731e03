import StrictJSON

/// Binds the references of a document: a new tree of the same shape, with the same positions.
///
/// A reference into `thermos`, `mesos` or `docker` is answered by the bindings only. Any other is looked for among the
/// members of the object it stands in, then of those around it, then among the bindings given by the user. What is found
/// is bound in its own place first.
struct TemplateBinder {
  /// Bytes that may be read and written while binding, so that references to references cannot fill the memory or
  /// take for ever.
  private static var workLimit: Int { 32 << 20 }
  private static var depthLimit: Int { 32 }

  /// An object around the text that is bound: its known members by their place in the record.
  private struct Scope {
    let record: RecordType
    var values: [JSON?]
  }

  /// nil: only the document's own members are bound, the rest stays as it is written.
  let bindings: Bindings?
  let ports: PortMap?
  /// Of the document or the bindings, for `{{mesos.role}}` and `{{mesos.cluster}}`.
  var role: String?
  var cluster: String?
  var instance: Int64?
  private(set) var diagnostics: [Diagnostic] = []
  /// Names in `{{thermos.ports[…]}}`, each once, in the order of the document.
  private(set) var portNames: [String] = []
  /// `{{docker.image[…][…]}}`, each once.
  private(set) var images: [Bindings.DockerImage] = []
  private var seenReferences: Set<[UInt8]> = []
  private var scopes: [Scope] = []
  private var steps: [String] = []
  private var workLeft = Self.workLimit

  init(bindings: Bindings?, ports: PortMap? = nil) {
    self.bindings = bindings
    self.ports = ports
  }

  mutating func bind(_ document: JSON, as record: RecordType) -> JSON {
    bind(document, .record(record), field: "")
  }

  // MARK: The walk

  private mutating func bind(_ json: JSON, _ type: FieldType, field: String) -> JSON {
    switch (type, json.value) {
    case (.text, .string(let text)), (.choice, .string(let text)), (.signal, .string(let text)):
      guard Template.mayHoldReference(text) else { return json }
      var visited = [Visit(depth: scopes.count, path: Array(field.utf8))]
      let bound = expand(text, visited: &visited, position: json.position)
      return JSON(.string(bound), position: json.position)
    case (.list(let element, _), .array(let items)):
      var bound: [JSON] = []
      bound.reserveCapacity(items.count)
      for (index, item) in items.enumerated() {
        steps.append("[\(index)]")
        bound.append(bind(item, element, field: field))
        steps.removeLast()
      }
      return JSON(.array(bound), position: json.position)
    case (.map(let element), .object(let members)):
      return JSON(.object(members.map { bind($0, element) }), position: json.position)
    case (.names(let rule, _), .array): return bind(json, .list(.text(rule)), field: field)
    case (.names(_, let words), .object(let members)):
      return JSON(.object(members.map { bindKey(of: bind($0, .choice(words))) }), position: json.position)
    case (.record(let record), .object): return bind(json, record: record)
    case (.variants(let variants), .object(let members)):
      guard let (option, inner, isWrapped) = variants.unwrap(json) else { return json }
      guard isWrapped else { return bind(inner, record: option.record) }
      let bound = members.map { member in
        member.key.utf8.elementsEqual(option.key.utf8) ? bind(member, .record(option.record)) : member
      }
      return JSON(.object(bound), position: json.position)
    default: return json
    }
  }

  private mutating func bind(_ member: JSON.Member, _ type: FieldType) -> JSON.Member {
    steps.append("." + member.key)
    defer { steps.removeLast() }
    return JSON.Member(member.key, bind(member.value, type, field: member.key), position: member.position)
  }

  private mutating func bindKey(of member: JSON.Member) -> JSON.Member {
    guard Template.mayHoldReference(member.key) else { return member }
    var visited: [Visit] = []
    let key = expand(member.key, visited: &visited, position: member.position)
    return JSON.Member(key, member.value, position: member.position)
  }

  private mutating func bind(_ json: JSON, record: RecordType) -> JSON {
    guard let members = json.members else { return json }
    var scope = Scope(record: record, values: record.fields.map(\.standard))
    for member in members {
      if let index = record.index(of: member.key) { scope.values[index] = member.value }
    }
    scopes.append(scope)
    defer { scopes.removeLast() }
    let bound = members.map { member in
      guard let field = record[member.key], !field.isIgnored else { return member }
      return bind(member, field.type)
    }
    return JSON(.object(bound), position: json.position)
  }

  // MARK: One text

  /// What is being bound, so that a reference that leads back to itself is noticed.
  private struct Visit: Equatable {
    /// How many objects were around it.
    let depth: Int
    let path: [UInt8]
  }

  private mutating func expand(_ text: String, visited: inout [Visit], position: JSON.Position) -> String {
    var out: [UInt8] = []
    guard spend(text.utf8.count + 128, position) else { return "" }
    for piece in Template(text).pieces {
      switch piece {
      case .text(let bytes): out += bytes
      case .escape(let bytes):
        // Kept as it is until the last time, which makes plain braces of it.
        out += braces(bindings == nil ? [UInt8(ascii: "&")] + bytes : bytes)
      case .malformed(let bytes):
        report(.value, position, "\(shown(bytes)) is no reference", hint: "\(shown([0x26] + bytes)) keeps the braces")
        out += braces(bytes)
      case .nested(let bytes):
        report(.value, position, "a reference inside of another: \(shown(bytes))", hint: "references cannot be nested")
        out += [UInt8(ascii: "{"), UInt8(ascii: "{")] + bytes
      case .reference(let reference):
        if let value = value(of: reference, visited: &visited, position: position) {
          out += value.utf8
        } else {
          out += braces(reference.bytes)
        }
      }
      if out.count > workLeft { break }
    }
    return spend(out.count, position) ? String(decoding: out, as: UTF8.self) : ""
  }

  /// Takes from what may be done; says so once when it is used up.
  private mutating func spend(_ work: Int, _ position: JSON.Position) -> Bool {
    guard workLeft >= 0 else { return false }
    workLeft -= work
    if workLeft >= 0 { return true }
    report(.value, position, "references make more than \(Quantity.bytes(UInt64(Self.workLimit))) of text")
    return false
  }

  private mutating func value(
    of reference: Reference, visited: inout [Visit], position: JSON.Position
  ) -> String? {
    if Reserved.isReserved(reference.root) { return reserved(reference, position: position) }
    // From the object it stands in outwards.
    var isCircular = false
    for depth in stride(from: scopes.count, to: 0, by: -1) {
      guard let found = look(up: reference, in: scopes[depth - 1]) else { continue }
      let visit = Visit(depth: depth, path: reference.bytes)
      guard !visited.contains(visit), visited.count < Self.depthLimit else {
        isCircular = true
        continue
      }
      guard let text = leaf(found) else { continue }
      guard Template.mayHoldReference(text) else { return text }
      // References to references are dear: a few of them could lead to millions.
      guard spend(512, position) else { return nil }
      visited.append(visit)
      let outer = scopes
      scopes.removeLast(scopes.count - depth)
      defer {
        scopes = outer
        visited.removeLast()
      }
      return expand(text, visited: &visited, position: position)
    }
    guard let bindings else { return nil }
    if let value = custom(reference, in: bindings) { return value }
    let hint = isCircular ? "it leads back to itself" : "give it with --bind \(reference)=VALUE"
    report(.unbound, position, "unbound reference \(shown(reference.bytes))", hint: hint)
    return nil
  }

  private mutating func look(up reference: Reference, in scope: Scope) -> JSON? {
    guard let index = scope.record.index(of: String(decoding: reference.root, as: UTF8.self)),
      var value = scope.values[index]
    else { return nil }
    for step in reference.steps.dropFirst() {
      // An object is searched member by member.
      guard spend(value.members?.count ?? 0, value.position) else { return nil }
      switch step {
      case .name(let key): value = value[String(decoding: key, as: UTF8.self)] ?? JSON(.null)
      case .index(let key):
        let text = String(decoding: key, as: UTF8.self)
        if let items = value.array {
          guard let index = Int(text), items.indices.contains(index) else { return nil }
          value = items[index]
        } else {
          value = value[text] ?? JSON(.null)
        }
      }
    }
    return value
  }

  private func leaf(_ json: JSON) -> String? {
    switch json.value {
    case .string(let text): text
    case .number(let number): number.text
    case .bool(let truth): truth ? "true" : "false"
    case .null, .array, .object: nil
    }
  }

  private func custom(_ reference: Reference, in bindings: Bindings) -> String? {
    bindings.custom.last { $0.0.utf8.elementsEqual(reference.bytes) }?.1
  }

  // MARK: thermos, mesos, docker

  private mutating func reserved(_ reference: Reference, position: JSON.Position) -> String? {
    let known = Reserved(reference)
    switch known {
    case .port(let name)?:
      if seenReferences.insert(reference.bytes).inserted {
        if portNames.count == PortMap.limit {
          report(.value, position, "refers to more than \(PortMap.limit) ports")
        }
        if portNames.count <= PortMap.limit { portNames.append(name) }
      }
    case .image(let name, let tag)?:
      if seenReferences.insert(reference.bytes).inserted { images.append(.init(name: name, tag: tag, value: "")) }
    case nil:
      report(.unbound, position, "unknown reference \(shown(reference.bytes))", hint: Reserved.hint(for: reference))
      return nil
    default: break
    }
    guard let bindings else { return nil }
    if let value = custom(reference, in: bindings) { return value }
    if let known, let value = known.value(in: bindings, ports: ports, of: self) { return value }
    report(
      .unbound, position, "unbound reference \(shown(reference.bytes))",
      hint: known?.remedy ?? "give it with --bind \(reference)=VALUE")
    return nil
  }

  // MARK: Reports

  private mutating func report(_ kind: Diagnostic.Kind, _ position: JSON.Position, _ message: String, hint: String?) {
    guard diagnostics.count < DocumentChecker.limit else { return }
    var path = steps.joined()
    if path.utf8.first == UInt8(ascii: ".") { path = String(path.dropFirst()) }
    diagnostics.append(Diagnostic(kind, at: position, path: path, message, hint: hint))
  }

  private mutating func report(_ kind: Diagnostic.Kind, _ position: JSON.Position, _ message: String) {
    report(kind, position, message, hint: nil)
  }

  private func braces(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8(ascii: "{"), UInt8(ascii: "{")] + bytes + [UInt8(ascii: "}"), UInt8(ascii: "}")]
  }

  private func shown(_ bytes: [UInt8]) -> String {
    let text = String(decoding: braces(bytes), as: UTF8.self).quotedForMessage
    return String(text.dropFirst().dropLast())
  }
}
