import StrictJSON

/// What is read can be written and read again, and means the same; a fault has its place in the text.
func fuzzJSON(_ bytes: [UInt8]) {
  let json: JSON
  do {
    json = try JSON(parsing: bytes)
  } catch {
    promise(Places(bytes).hold(error.position), "\(error) lies outside")
    return
  }
  for text in [json.compactBytes, Array(json.pretty.utf8)] {
    guard let again = try? JSON(parsing: text) else {
      return promise(false, "what was written cannot be read: \(String(decoding: text, as: UTF8.self))")
    }
    promise(isSame(json, again), "what was written means something else")
    promise(again.compactBytes == json.compactBytes, "what was written is written otherwise")
  }
  checkPlaces(json, Places(bytes))
}

private func checkPlaces(_ json: JSON, _ places: Places) {
  promise(places.hold(json.position), "\(json.position) lies outside")
  for item in json.array ?? [] { checkPlaces(item, places) }
  for member in json.members ?? [] {
    promise(places.hold(member.position), "\(member.position) lies outside")
    checkPlaces(member.value, places)
  }
}

private func isSame(_ left: JSON, _ right: JSON) -> Bool {
  switch (left.value, right.value) {
  case (.null, .null): true
  case (.bool(let a), .bool(let b)): a == b
  case (.number(let a), .number(let b)): a == b && a.double == b.double && a.integer == b.integer
  case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
  case (.array(let a), .array(let b)): a.count == b.count && zip(a, b).allSatisfy(isSame)
  case (.object(let a), .object(let b)):
    a.count == b.count
      && zip(a, b).allSatisfy { $0.key.utf8.elementsEqual($1.key.utf8) && isSame($0.value, $1.value) }
  default: false
  }
}

/// Which places a text has.
struct Places {
  /// Bytes of each line.
  private let lines: [Int]

  init(_ bytes: [UInt8]) {
    lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(\.count)
  }

  /// One beyond the end of a line is where something is missing.
  func hold(_ position: JSON.Position) -> Bool {
    lines.indices.contains(position.line - 1) && (1...(lines[position.line - 1] + 1)).contains(position.column)
  }
}
