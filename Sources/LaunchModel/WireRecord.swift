/// A value that is its fields, one row for each: the row reads it and writes it.
package protocol WireRecord: WireValue {
  /// What is filled in. It says what a later field is that is absent.
  static var blank: Self { get }

  /// The fields in the order in which they stand on the wire: `pass.field(&name)` for what every writer writes, then
  /// `pass.field(later: &name)` for what older writers do not have. Where a field is a part of something, or stands there
  /// otherwise, its row has a variable of its own: a computed property would be set while others are still to be written.
  mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure)
}

extension WireRecord {
  package init(from reader: inout WireReader) throws(WireError) {
    self = Self.blank
    try fields(&reader)
  }
  package func write(to writer: inout WireWriter) {
    var value = self
    value.fields(&writer)
  }
}

/// A pass over the fields of a value, which fills them in or writes them down.
package protocol WirePass {
  associatedtype Failure: Error
  mutating func field(_ field: inout some WireField) throws(Failure)
  mutating func field(later field: inout some WireField) throws(Failure)
}

extension WireReader: WirePass {
  package mutating func field(_ field: inout some WireField) throws(WireError) { field = try next() }
  package mutating func field(later field: inout some WireField) throws(WireError) {
    if !isAtEnd { field = try next() }
  }
}

extension WireWriter: WirePass {
  package mutating func field(_ field: inout some WireField) { put(field) }
  package mutating func field(later field: inout some WireField) { put(field) }
}
