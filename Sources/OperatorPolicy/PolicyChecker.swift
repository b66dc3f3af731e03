import LinuxKernel
import StrictJSON
import TaskModel

/// One thing that is wrong with a policy.
package struct PolicyFault: Error, Equatable, CustomStringConvertible {
  let position: JSON.Position
  /// `host_paths[0].mode`; empty for the file itself.
  let path: String
  let message: String

  package var description: String {
    "\(position.line):\(position.column): " + (path.isEmpty ? "" : path + ": ") + message
  }
}

/// Compares a policy with the table of its members and says everything that does not fit, in the order of the text.
struct PolicyChecker {
  private var faults: [PolicyFault] = []
  private var path: [String] = []

  static func faults(in json: JSON) -> [PolicyFault] {
    var checker = PolicyChecker()
    checker.check(json, .record(PolicyFields.policy))
    return checker.faults.sorted { ($0.position.line, $0.position.column) < ($1.position.line, $1.position.column) }
  }

  private mutating func report(_ position: JSON.Position, _ message: String) {
    // Keys of the file are only in it when they are known.
    let path = path.joined()
    faults.append(
      PolicyFault(position: position, path: path.first == "." ? String(path.dropFirst()) : path, message: message))
  }

  private mutating func report(_ json: JSON, expected type: PolicyType) {
    report(json.position, "expected \(type.expectation), found \(json.string?.quotedForMessage ?? json.kind)")
  }

  private mutating func check(_ json: JSON, _ type: PolicyType) {
    switch type {
    case .flag: if json.bool == nil { report(json, expected: type) }
    case .integer(let range):
      guard case .number = json.value else { return report(json, expected: type) }
      guard let value = json.integer, range.contains(value) else {
        return report(json.position, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
      }
    case .positive(let most):
      guard case .number = json.value else { return report(json, expected: type) }
      guard let value = json.double, value > 0, value <= most else {
        return report(json.position, "must be a number above 0, at most \(JSON(most).compact)")
      }
    case .text(let rule):
      guard let text = json.string else { return report(json, expected: type) }
      if let problem = rule.problem(with: text) { report(json.position, "\(text.quotedForMessage) \(problem)") }
    case .choice(let words):
      guard let text = json.string else { return report(json, expected: type) }
      guard !words.contains(where: { $0.utf8.elementsEqual(text.utf8) }) else { return }
      report(json.position, "unknown \(text.quotedForMessage)" + hint(text, words, lists: words.count < 20))
    case .list(let element):
      guard let items = json.array else { return report(json, expected: type) }
      for (index, item) in items.enumerated() {
        path.append("[\(index)]")
        check(item, element)
        path.removeLast()
      }
    case .either(let first, let second):
      guard PolicyChecker.isOfKind(json, first) || PolicyChecker.isOfKind(json, second) else {
        return report(json, expected: type)
      }
      check(json, PolicyChecker.isOfKind(json, first) ? first : second)
    case .record(let record): check(json, record)
    }
  }

  private mutating func check(_ json: JSON, _ record: PolicyRecord) {
    guard let members = json.members else { return report(json, expected: .record(record)) }
    for member in members {
      guard let field = record[member.key] else {
        report(
          member.position,
          "unknown member \(member.key.quotedForMessage)" + hint(member.key, record.fields.map(\.name), lists: false))
        continue
      }
      path.append("." + field.name)
      check(member.value, field.type)
      path.removeLast()
    }
    for field in record.fields where field.isRequired && json[field.name] == nil {
      report(json.position, "\"\(field.name)\" is missing")
    }
  }

  private func hint(_ word: String, _ known: [String], lists: Bool) -> String {
    if let near = NearestKey.find(word, among: known) { return " (did you mean \"\(near)\"?)" }
    return lists ? " (there are \(known.joined(separator: ", ")))" : ""
  }

  private static func isOfKind(_ json: JSON, _ type: PolicyType) -> Bool {
    switch type {
    case .flag: json.bool != nil
    case .integer, .positive: json.double != nil
    case .text, .choice: json.string != nil
    case .list: json.array != nil
    case .either(let first, let second): isOfKind(json, first) || isOfKind(json, second)
    case .record: json.members != nil
    }
  }
}
