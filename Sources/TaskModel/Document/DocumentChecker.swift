import StrictJSON

/// Compares a document with the table of fields and says everything that does not fit.
struct DocumentChecker {
  /// A hostile document could hold hundreds of thousands of faults; nobody reads more than this.
  static var limit: Int { 500 }

  /// Counted apart, so that no number of warnings can hide an error.
  private var errors: [Diagnostic] = []
  private var warnings: [Diagnostic] = []
  private var steps: [Step] = []
  /// Whether text may still hold references, which then say nothing about what it will be.
  private let isProvisional: Bool

  private enum Step {
    case key(String)
    case index(Int)
  }

  private init(isProvisional: Bool) { self.isProvisional = isProvisional }

  static func check(_ json: JSON, as record: RecordType, isProvisional: Bool) -> [Diagnostic] {
    var checker = DocumentChecker(isProvisional: isProvisional)
    checker.checkRecord(json, record)
    return checker.errors + checker.warnings
  }

  private mutating func check(_ json: JSON, _ type: FieldType, name: String) {
    switch type {
    case .text(let rule): checkText(json, rule)
    case .flag:
      if json.bool == nil, json.integer != 0, json.integer != 1 { reportType(json, type) }
    case .integer(let range): checkInteger(json, range, type, name)
    case .number(let range, let above): checkNumber(json, range, above, type, name)
    case .choice(let words): checkChoice(json, words, type)
    case .signal: checkSignal(json)
    case .list(let element, let least):
      guard let items = json.array else { return reportType(json, type) }
      if items.count < least { report(.value, json.position, "is empty") }
      for (index, item) in items.enumerated() {
        steps.append(.index(index))
        check(item, element, name: name)
        steps.removeLast()
      }
    case .map(let element):
      guard let members = json.members else { return reportType(json, type) }
      for member in members {
        steps.append(.key(member.key))
        check(member.value, element, name: member.key)
        steps.removeLast()
      }
    case .names(let rule, let words):
      guard let members = json.members else {
        return json.array == nil ? reportType(json, type) : check(json, .list(.text(rule)), name: name)
      }
      for member in members {
        steps.append(.key(member.key))
        checkText(JSON(.string(member.key), position: member.position), rule)
        check(member.value, .choice(words), name: member.key)
        steps.removeLast()
      }
    case .record(let record): checkRecord(json, record)
    case .variants(let variants): checkVariants(json, variants)
    case .kept: break
    }
  }

  private mutating func checkRecord(_ json: JSON, _ record: RecordType) {
    guard let members = json.members else { return reportType(json, .record(record)) }
    var found = [Bool](repeating: false, count: record.fields.count)
    for member in members {
      guard let index = record.index(of: member.key) else {
        reportUnknown(member, known: record.fields.map(\.name))
        continue
      }
      found[index] = true
      steps.append(.key(record.fields[index].name))
      check(member.value, record.fields[index].type, name: record.fields[index].name)
      steps.removeLast()
    }
    for (index, field) in record.fields.enumerated() where field.isRequired && !found[index] {
      report(.missing, json.position, "\"\(field.name)\" is missing")
    }
  }

  private mutating func checkVariants(_ json: JSON, _ variants: Variants) {
    guard let (option, inner, isWrapped) = variants.unwrap(json), let members = json.members else {
      return reportType(json, .variants(variants))
    }
    guard isWrapped else { return checkRecord(inner, option.record) }
    let keys = variants.options.map(\.key)
    var wrappers = 0
    for member in members {
      if keys.contains(where: { $0.utf8.elementsEqual(member.key.utf8) }) {
        wrappers += 1
        if wrappers == 2 {
          report(.value, member.position, "has both \"\(keys.joined(separator: "\" and \""))\"; it can be one of them")
        }
      } else {
        reportUnknown(member, known: keys)
      }
    }
    steps.append(.key(option.key))
    checkRecord(inner, option.record)
    steps.removeLast()
  }

  private mutating func checkText(_ json: JSON, _ rule: TextRule) {
    guard let text = json.string else { return reportType(json, .text(rule)) }
    if isProvisional, Template.mayHoldReference(text) { return }
    guard let problem = rule.problem(with: Array(text.utf8)) else { return }
    report(.value, json.position, "\(text.quotedForMessage) \(problem)")
  }

  private mutating func checkInteger(_ json: JSON, _ range: ClosedRange<Int64>, _ type: FieldType, _ name: String) {
    guard case .number(let number) = json.value else { return reportType(json, type) }
    guard let value = number.integer else {
      // A fraction is of another type; a number that is only too large is not.
      guard let double = number.double, double.magnitude < 0x1p53 else { return reportRange(json, number.text, range) }
      return report(.type, json.position, "expected an integer, found \(shown(number.text))")
    }
    if !range.contains(value) { reportRange(json, number.text, range) }
  }

  private mutating func checkNumber(
    _ json: JSON, _ range: ClosedRange<Double>, _ above: Bool, _ type: FieldType, _ name: String
  ) {
    guard case .number(let number) = json.value else { return reportType(json, type) }
    guard let value = number.double, range.contains(value), !above || value > range.lowerBound else {
      let bounds = "from \(above ? "above " : "")\(plain(range.lowerBound)) to \(plain(range.upperBound))"
      return report(.value, json.position, "\(shown(number.text)) is out of range: \(bounds)")
    }
  }

  private mutating func checkChoice(_ json: JSON, _ words: [String], _ type: FieldType) {
    guard let text = json.string else { return reportType(json, type) }
    if isProvisional, Template.mayHoldReference(text) { return }
    if words.contains(where: { $0.utf8.elementsEqual(text.utf8) }) { return }
    let nearest = NearestKey.find(text, among: words)
    let all = words.count <= 6 ? "; one of \(words.joined(separator: ", "))" : ""
    report(
      .value, json.position, "\(text.quotedForMessage) is not known here\(all)",
      hint: nearest.map { "did you mean \"\($0)\"?" })
  }

  private mutating func checkSignal(_ json: JSON) {
    if let number = json.integer, (1...64).contains(number) { return }
    if let text = json.string {
      if isProvisional, Template.mayHoldReference(text) { return }
      if SignalName.number(of: text) != nil { return }
      return report(.value, json.position, "\(text.quotedForMessage) is no signal", hint: "as in \"SIGTERM\"")
    }
    if case .number(let number) = json.value {
      return report(.value, json.position, "\(shown(number.text)) is no signal: from 1 to 64")
    }
    reportType(json, .signal)
  }

  // MARK: Reports

  private mutating func reportType(_ json: JSON, _ type: FieldType) {
    report(.type, json.position, "expected \(type.expectation), found \(json.kind)")
  }

  private mutating func reportRange(_ json: JSON, _ text: String, _ range: ClosedRange<Int64>) {
    report(
      .value, json.position, "\(shown(text)) is out of range: from \(range.lowerBound) to \(range.upperBound)")
  }

  private mutating func reportUnknown(_ member: JSON.Member, known: @autoclosure () -> [String]) {
    guard warnings.count < Self.limit else { return }
    let nearest = NearestKey.find(member.key, among: known())
    report(
      .unknownKey, severity: .warning, member.position, "unknown key \(member.key.quotedForMessage)",
      hint: nearest.map { "did you mean \"\($0)\"?" })
  }

  private mutating func report(
    _ kind: Diagnostic.Kind, severity: Diagnostic.Severity = .error, _ position: JSON.Position, _ message: String,
    hint: String? = nil
  ) {
    switch severity {
    case .error where errors.count < Self.limit:
      errors.append(Diagnostic(kind, severity: severity, at: position, path: path, message, hint: hint))
    case .warning where warnings.count < Self.limit:
      warnings.append(Diagnostic(kind, severity: severity, at: position, path: path, message, hint: hint))
    default: break
    }
  }

  private var path: String {
    var text = ""
    for step in steps {
      switch step {
      case .index(let index): text += "[\(index)]"
      case .key(let key):
        let isPlain = !key.isEmpty && key.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f } && key.utf8.count <= 80
        let shown = isPlain ? key : key.quotedForMessage
        text += text.isEmpty ? shown : "." + shown
      }
    }
    return text
  }

  private func shown(_ number: String) -> String {
    number.utf8.count <= 40 ? number : "a number of \(number.utf8.count) digits"
  }

  private func plain(_ value: Double) -> String { Int64(exactly: value).map(String.init) ?? String(value) }
}
