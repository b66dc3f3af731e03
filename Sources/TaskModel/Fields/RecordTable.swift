import StrictJSON

/// A value of the model that a record of the document becomes.
protocol RecordValue: Sendable {
  /// What absent members stand for.
  static var standard: Self { get }
}

/// A record whose rows are everything that is known of its members: how they are decoded, what an absent one stands for, the
/// schema and the documentation.
struct RecordTable<Value: RecordValue>: Sendable {
  let record: RecordType
  private let rows: [Row<Value>]

  init(_ name: String, _ note: String, _ rows: [Row<Value>]) {
    self.rows = rows
    record = RecordType(name, note, rows.map(\.field))
  }

  /// What an object that was checked says. What is of a wrong type reads as absent: it has been reported already.
  func value(of object: JSON) -> Value {
    var value = Value.standard
    read(object, into: &value)
    return value
  }

  func read(_ object: JSON, into value: inout Value) {
    for row in rows {
      if let json = object[row.field.name] { row.read(json, &value) }
    }
  }
}

/// One member of a record, and where in the value it goes.
struct Row<Value: RecordValue>: Sendable {
  typealias Path<Part> = any WritableKeyPath<Value, Part> & Sendable

  let field: Field
  let read: @Sendable (JSON, inout Value) -> Void

  /// A member that somebody else reads: it needs more than its own text, or nobody does.
  static func other(_ field: Field) -> Row { Row(field: field) { _, _ in } }

  private init(field: Field, read: @escaping @Sendable (JSON, inout Value) -> Void) {
    self.field = field
    self.read = read
  }

  /// The default is the value's own.
  init<Part: FieldValue>(
    _ name: String, _ type: FieldType, required: Bool = false, _ path: Path<Part>, _ note: String
  ) {
    let standard = required ? nil : Value.standard[keyPath: path].documented
    self.init(field: Field(name, type, required: required, standard: standard, note)) { json, value in
      if let part = Part(checked: json) { value[keyPath: path] = part }
    }
  }

  /// A signal, by name or number.
  init(_ name: String, signal path: Path<Int32>, _ note: String) {
    let standard = JSON(SignalName.name(of: Value.standard[keyPath: path]))
    self.init(field: Field(name, .signal, standard: standard, note)) { json, value in
      let number = json.string.flatMap(SignalName.number(of:)) ?? json.integer.flatMap { Int32(exactly: $0) }
      if let number { value[keyPath: path] = number }
    }
  }

  /// A record of its own, absent as a whole or not.
  init<Part>(_ name: String, _ table: RecordTable<Part>, _ path: Path<Part?>, _ note: String) {
    self.init(field: Field(name, .record(table.record), note)) { json, value in
      if json.members != nil { value[keyPath: path] = table.value(of: json) }
    }
  }

  /// A list of records, by default empty.
  init<Part>(_ name: String, listOf table: RecordTable<Part>, _ path: Path<[Part]>, _ note: String) {
    self.init(field: Field(name, .list(.record(table.record)), standard: [], note)) { json, value in
      if let items = json.array { value[keyPath: path] = items.map(table.value(of:)) }
    }
  }

  /// A record whose members are the value's own.
  init(_ name: String, within table: RecordTable<Value>, _ note: String) {
    self.init(field: Field(name, .record(table.record), note)) { json, value in
      if json.members != nil { table.read(json, into: &value) }
    }
  }
}

/// What a single member can hold.
protocol FieldValue: Sendable {
  /// `nil` for what is of another type.
  init?(checked json: JSON)
  /// As a default in the schema; `nil` where it stands for nothing.
  var documented: JSON? { get }
}

extension Bool: FieldValue {
  /// In old documents also 1 and 0.
  init?(checked json: JSON) {
    guard let flag = json.bool ?? json.integer.map({ $0 == 1 }) else { return nil }
    self = flag
  }
  var documented: JSON? { JSON(self) }
}

extension Int: FieldValue {
  init?(checked json: JSON) {
    guard let number = json.integer.flatMap({ Int(exactly: $0) }) else { return nil }
    self = number
  }
  var documented: JSON? { JSON(self) }
}

extension Int32: FieldValue {
  init?(checked json: JSON) {
    guard let number = json.integer.flatMap({ Int32(exactly: $0) }) else { return nil }
    self = number
  }
  var documented: JSON? { JSON(Int64(self)) }
}

extension Int64: FieldValue {
  init?(checked json: JSON) {
    guard let number = json.integer else { return nil }
    self = number
  }
  var documented: JSON? { JSON(self) }
}

extension UInt64: FieldValue {
  init?(checked json: JSON) {
    guard let number = json.integer.flatMap({ UInt64(exactly: $0) }) else { return nil }
    self = number
  }
  var documented: JSON? { Int64(exactly: self).map { JSON($0) } }
}

extension Double: FieldValue {
  init?(checked json: JSON) {
    guard let number = json.double else { return nil }
    self = number
  }
  var documented: JSON? { Int64(exactly: self).map { JSON($0) } ?? JSON(self) }
}

extension String: FieldValue {
  init?(checked json: JSON) {
    guard let text = json.string else { return nil }
    self = text
  }
  var documented: JSON? { JSON(self) }
}

extension KeptJSON: FieldValue {
  init?(checked json: JSON) { self.init(json) }
  var documented: JSON? { json }
}

extension Array: FieldValue where Element: FieldValue {
  init?(checked json: JSON) {
    guard let items = json.array else { return nil }
    self = items.compactMap { Element(checked: $0) }
  }
  var documented: JSON? { JSON(compactMap(\.documented)) }
}

extension Optional: FieldValue where Wrapped: FieldValue {
  init?(checked json: JSON) {
    guard let value = Wrapped(checked: json) else { return nil }
    self = .some(value)
  }
  var documented: JSON? { flatMap(\.documented) }
}

extension FieldValue where Self: RawRepresentable, RawValue == String {
  init?(checked json: JSON) {
    guard let value = json.string.flatMap(Self.init(rawValue:)) else { return nil }
    self = value
  }
  var documented: JSON? { JSON(rawValue) }
}
