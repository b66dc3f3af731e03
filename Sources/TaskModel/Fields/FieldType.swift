import StrictJSON

/// What a member of the task document may hold. One table of these is what decoding, templates, the JSON Schema and
/// the nearest-key hints are made from.
indirect enum FieldType: Sendable {
  /// Text, in which templates are bound.
  case text(TextRule)
  /// `true`, `false`, and in old documents 1 and 0.
  case flag
  case integer(ClosedRange<Int64>)
  /// Any finite number of the range; `above` excludes the lower bound.
  case number(ClosedRange<Double>, above: Bool = false)
  /// One of these words.
  case choice([String])
  /// A signal, by name or number.
  case signal
  case list(FieldType, atLeast: Int = 0)
  /// An object whose keys are the user's.
  case map(FieldType)
  /// Names in a list, or as the keys of an object that gives each one of these words. Templates are bound in both.
  case names(TextRule, each: [String])
  case record(RecordType)
  case variants(Variants)
  /// Anything: kept or ignored, not looked into.
  case kept

  /// One of an enumeration's words.
  static func choice<Word>(of type: Word.Type) -> FieldType
  where Word: CaseIterable & RawRepresentable, Word.RawValue == String { .choice(type.allCases.map(\.rawValue)) }

  /// Seconds: none, or as many as about thirty years have.
  static var seconds: FieldType { .number(0...1e9) }
  /// A count: 0 or more.
  static var count: FieldType { .integer(0...Int64(Int32.max)) }
  static var port: FieldType { .integer(1...65535) }

  /// What it is called in messages: `an integer`.
  var expectation: String {
    switch self {
    case .text, .choice: "a string"
    case .flag: "a boolean"
    case .integer: "an integer"
    case .number: "a number"
    case .signal: "the name or number of a signal"
    case .list: "an array"
    case .names: "an array or an object"
    case .map, .record, .variants: "an object"
    case .kept: "a value"
    }
  }
}

/// One member of a record.
struct Field: Sendable {
  let name: String
  let type: FieldType
  var isRequired = false
  /// What an absent member stands for.
  var standard: JSON?
  /// Only a scheduler reads it: it is checked, and no templates are bound in it.
  var isIgnored = false
  /// One line for the schema and the documentation.
  let note: String

  init(
    _ name: String, _ type: FieldType, required: Bool = false, standard: JSON? = nil, ignored: Bool = false,
    _ note: String
  ) {
    self.name = name
    self.type = type
    isRequired = required
    self.standard = standard
    isIgnored = ignored
    self.note = note
  }
}

/// An object with known members.
final class RecordType: Sendable {
  let name: String
  let note: String
  let fields: [Field]

  init(_ name: String, _ note: String, _ fields: [Field]) {
    self.name = name
    self.note = note
    self.fields = fields
  }

  /// The field with this key, by its bytes.
  subscript(key: String) -> Field? { index(of: key).map { fields[$0] } }

  /// A record has a score of fields: no dictionary finds one faster than looking at each.
  func index(of key: String) -> Int? { fields.firstIndex { $0.name.utf8.elementsEqual(key.utf8) } }
}

/// A choice of records, written with the key that names the choice around it or, where the members tell, without.
struct Variants: Sendable {
  struct Option: Sendable {
    let key: String
    let record: RecordType
  }

  let name: String
  let options: [Option]
  /// Which option an object without the wrapping key is.
  let plain: @Sendable (JSON) -> Int

  /// The value without its wrapping key, and which option it is.
  func unwrap(_ json: JSON) -> (option: Option, inner: JSON, isWrapped: Bool)? {
    guard let members = json.members else { return nil }
    for member in members {
      for option in options where option.key.utf8.elementsEqual(member.key.utf8) {
        return (option, member.value, true)
      }
    }
    return (options[plain(json)], json, false)
  }
}

// How typed values are taken out of an object that was checked. What is of a wrong type reads as absent: it has been
// reported already.
extension Field {
  func json(in object: JSON) -> JSON? { object[name] ?? standard }

  func position(in object: JSON) -> JSON.Position { object[name]?.position ?? object.position }

  func text(in object: JSON) -> String? { json(in: object)?.string }

  func flag(in object: JSON) -> Bool {
    guard let value = json(in: object) else { return false }
    return value.bool ?? (value.integer == 1)
  }

  func integer(in object: JSON) -> Int64? { json(in: object)?.integer }

  /// For fields whose range fits an `Int`.
  func int(in object: JSON) -> Int? { integer(in: object).flatMap { Int(exactly: $0) } }

  func list(in object: JSON) -> [JSON] { json(in: object)?.array ?? [] }

  func strings(in object: JSON) -> [String] { list(in: object).compactMap(\.string) }

  func object(in object: JSON) -> JSON? {
    guard let value = json(in: object), value.members != nil else { return nil }
    return value
  }
}
