import StrictJSON

// What a request says is built here member by member: nothing that is unset is written, as null means something else to
// some engines, and the same request is always the same bytes.

extension JSON {
  /// A list, or nothing when it is empty.
  static func unlessEmpty(_ items: [String]) -> JSON? { items.isEmpty ? nil : JSON(items.map { JSON($0) }) }

  /// A list, also when it is empty; nothing when it is nil.
  static func list(_ items: [String]?) -> JSON? { items.map { JSON($0.map { JSON($0) }) } }

  /// A list of objects, or nothing when it is empty.
  static func unlessEmpty(_ items: [JSON]) -> JSON? { items.isEmpty ? nil : JSON(items) }

  /// A map in the order of its keys' bytes, or nothing when it is empty.
  static func unlessEmpty(_ map: [String: String]) -> JSON? { map.isEmpty ? nil : JSON.map(map) { JSON($0) } }

  /// A map in the order of its keys' bytes.
  static func map<Value>(_ map: [String: Value], _ value: (Value) -> JSON) -> JSON {
    let sorted = map.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    return JSON(object: sorted.map { ($0.key, value($0.value)) })
  }

  /// A set as Go writes it: names with empty objects.
  static func unlessEmpty(set names: [String]) -> JSON? {
    names.isEmpty ? nil : JSON.map(Dictionary(names.map { ($0, true) }) { first, _ in first }) { _ in JSON(object: []) }
  }

  /// Text, or nothing when it is empty.
  static func unlessEmpty(_ text: String) -> JSON? { text.isEmpty ? nil : JSON(text) }

  /// `true`, or nothing.
  static func ifTrue(_ truth: Bool) -> JSON? { truth ? true : nil }

  static func number(_ value: Int64?) -> JSON? { value.map { JSON($0) } }
  static func bool(_ value: Bool?) -> JSON? { value.map { JSON($0) } }

  /// An object, or nothing when no member is set.
  static func unlessEmpty(object members: [(String, JSON?)]) -> JSON? {
    let json = JSON(object: members)
    return json.members?.isEmpty == true ? nil : json
  }
}

extension HTTPRequest {
  /// More than this no request of ours says; engines hand larger ones to authorization plug-ins cut or not at all.
  static let jsonLimit = 1 << 20

  /// The same request with a JSON body.
  func with(_ json: JSON) throws(DockerEngineError) -> HTTPRequest {
    var request = self
    let bytes = json.compactBytes
    guard bytes.count <= HTTPRequest.jsonLimit else {
      throw DockerEngineError.invalid(
        "the request has \(bytes.count) bytes, more than the limit of \(HTTPRequest.jsonLimit)"
      )
      .during(operation)
    }
    request.body = .json(bytes)
    return request
  }
}

/// Conditions for lists, events and pruning: `["label": ["a=b", "c"]]`.
public typealias EngineFilters = [String: [String]]

/// Filters as the engine takes them in a query.
func encoded(_ filters: EngineFilters) -> String? {
  filters.isEmpty ? nil : JSON.map(filters) { JSON($0.map { JSON($0) }) }.compact
}
