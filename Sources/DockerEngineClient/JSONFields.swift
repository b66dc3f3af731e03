import StrictJSON

/// The members of an object from the engine, with the way that led to it for errors.
///
/// Go writes an empty list or map as `null` as often as not, so null and absent mean the same everywhere. Members that
/// we do not know are left alone: engines add some with every version.
struct JSONFields {
  /// What an answer may have at most.
  static let bodyLimit = 16 << 20

  let json: JSON
  let path: String

  init(_ json: JSON, path: String = "") throws(DockerEngineError) {
    self.json = json
    self.path = path
    guard json.members != nil else {
      throw .decoding("\(path.isEmpty ? "the response" : path) should be an object, but is \(json.kind)")
    }
  }

  init(parsing bytes: [UInt8]) throws(DockerEngineError) { try self.init(JSONFields.parse(bytes)) }

  static func parse(_ bytes: [UInt8]) throws(DockerEngineError) -> JSON {
    do throws(JSONError) {
      return try JSON(parsing: bytes, limits: JSON.Limits(bytes: bodyLimit))
    } catch {
      throw .decoding("the response is not valid JSON: \(error); it starts \(excerpt(bytes, limit: 120))")
    }
  }

  /// The objects of a list that is the whole response.
  static func list(parsing bytes: [UInt8]) throws(DockerEngineError) -> [JSONFields] {
    let json = try parse(bytes)
    if json.isNull { return [] }
    guard let items = json.array else { throw .decoding("the response should be a list, but is \(json.kind)") }
    return try objects(items, path: "")
  }

  private static func objects(_ items: [JSON], path: String) throws(DockerEngineError) -> [JSONFields] {
    var result: [JSONFields] = []
    for (index, item) in items.enumerated() { result.append(try JSONFields(item, path: "\(path)[\(index)]")) }
    return result
  }

  private func at(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  private func wrong(_ key: String, _ expected: String, _ found: JSON) -> DockerEngineError {
    .decoding("\(at(key)) should be \(expected), but is \(found.kind)")
  }

  private func missing(_ key: String) -> DockerEngineError { .decoding("the response has no \(at(key))") }

  /// The member, unless it is absent or null.
  private func member(_ key: String) -> JSON? {
    guard let value = json[key], !value.isNull else { return nil }
    return value
  }

  func has(_ key: String) -> Bool { member(key) != nil }

  func string(_ key: String) throws(DockerEngineError) -> String? {
    guard let value = member(key) else { return nil }
    guard let text = value.string else { throw wrong(key, "a string", value) }
    return text
  }

  func integer(_ key: String) throws(DockerEngineError) -> Int64? {
    guard let value = member(key) else { return nil }
    guard let number = value.integer else { throw wrong(key, "a whole number", value) }
    return number
  }

  /// A count that may be as large as 2^64 - 1, as kernels write "no limit".
  func unsigned(_ key: String) throws(DockerEngineError) -> UInt64? {
    guard let value = member(key) else { return nil }
    if case .number(let number) = value.value {
      if let exact = UInt64(number.text) { return exact }
      if let whole = number.integer, whole >= 0 { return UInt64(whole) }
    }
    throw wrong(key, "a whole number that is not negative", value)
  }

  func bool(_ key: String) throws(DockerEngineError) -> Bool? {
    guard let value = member(key) else { return nil }
    guard let truth = value.bool else { throw wrong(key, "true or false", value) }
    return truth
  }

  func strings(_ key: String) throws(DockerEngineError) -> [String] {
    guard let value = member(key) else { return [] }
    var result: [String] = []
    guard let items = value.array else { throw wrong(key, "a list of strings", value) }
    for item in items {
      guard let text = item.string else { throw wrong(key, "a list of strings", item) }
      result.append(text)
    }
    return result
  }

  /// A map from names to strings; a null in it is an empty string, as Go reads it.
  func stringMap(_ key: String) throws(DockerEngineError) -> [String: String] {
    var result: [String: String] = [:]
    for (name, value) in try members(key) {
      guard let text = value.isNull ? "" : value.string else { throw wrong("\(key).\(name)", "a string", value) }
      result[name] = text
    }
    return result
  }

  /// The members of an object as they stand.
  func members(_ key: String) throws(DockerEngineError) -> [(name: String, value: JSON)] {
    guard let value = member(key) else { return [] }
    guard let members = value.members else { throw wrong(key, "an object", value) }
    return members.map { ($0.key, $0.value) }
  }

  func object(_ key: String) throws(DockerEngineError) -> JSONFields? {
    guard let value = member(key) else { return nil }
    return try JSONFields(value, path: at(key))
  }

  func objects(_ key: String) throws(DockerEngineError) -> [JSONFields] {
    guard let value = member(key) else { return [] }
    guard let items = value.array else { throw wrong(key, "a list of objects", value) }
    return try JSONFields.objects(items, path: at(key))
  }

  // MARK: Members that must be there

  func requiredString(_ key: String) throws(DockerEngineError) -> String {
    guard let text = try string(key) else { throw missing(key) }
    return text
  }

  func requiredInteger(_ key: String) throws(DockerEngineError) -> Int64 {
    guard let number = try integer(key) else { throw missing(key) }
    return number
  }

  func requiredBool(_ key: String) throws(DockerEngineError) -> Bool {
    guard let truth = try bool(key) else { throw missing(key) }
    return truth
  }

  func requiredObject(_ key: String) throws(DockerEngineError) -> JSONFields {
    guard let fields = try object(key) else { throw missing(key) }
    return fields
  }

  func requiredContainerID(_ key: String) throws(DockerEngineError) -> ContainerID {
    let text = try requiredString(key)
    guard let id = ContainerID(text) else { throw badID(key, text) }
    return id
  }

  func badID(_ key: String, _ text: String) -> DockerEngineError {
    .decoding("\(at(key)) should be an id of 64 hexadecimal digits, but is \"\(excerpt(text.utf8, limit: 80))\"")
  }
}
