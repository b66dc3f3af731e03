import TaskModel
import TaskStore

/// One option of a command, as help shows it and the parser takes it.
struct Option: Sendable {
  /// With its dashes: `--task`.
  let name: String
  /// A one-letter form: `-P`.
  var short: String?
  /// What the value is called in help; nil for an option without one.
  var value: String?
  var isRepeatable = false
  /// For this program's own use: no help shows it.
  var isHidden = false
  let help: String

  init(
    _ name: String, short: String? = nil, value: String? = nil, isRepeatable: Bool = false, _ help: String,
    isHidden: Bool = false
  ) {
    self.isHidden = isHidden
    self.name = name
    self.short = short
    self.value = value
    self.isRepeatable = isRepeatable
    self.help = help
  }
}

/// The words of a command line, sorted by the options a command has.
struct Arguments: Sendable {
  /// In the order of first use; a handful, for which a dictionary would cost more than it saves.
  private(set) var given: [(option: String, values: [String])] = []
  /// Words that are no options, and all that follow `--`.
  private(set) var operands: [String] = []

  func has(_ option: String) -> Bool { index(of: option) != nil }
  func last(_ option: String) -> String? { index(of: option).flatMap { given[$0].values.last } }
  func all(_ option: String) -> [String] { index(of: option).map { given[$0].values } ?? [] }
  mutating func set(_ option: String, to value: String) {
    if let index = index(of: option) { given[index].values = [value] } else { given.append((option, [value])) }
  }

  private func index(of option: String) -> Int? { given.firstIndex { $0.option == option } }

  private mutating func add(_ option: String, _ values: [String]) {
    if let index = index(of: option) { given[index].values += values } else { given.append((option, values)) }
  }

  /// Parses `--flag value`, `--flag=value`, `-P value` and operands in any order. Unknown options name the nearest.
  init(_ words: [String], options: [Option], command: String) throws(ExecutorFailure) {
    var index = 0
    while index < words.count {
      let word = words[index]
      index += 1
      if word == "--" {
        operands += words[index...]
        return
      }
      guard word.utf8.first == UInt8(ascii: "-"), word.utf8.count > 1 else {
        operands.append(word)
        continue
      }
      let equals = word.utf8.starts(with: "--".utf8) ? word.firstIndex(of: "=") : nil
      let name = equals.map { String(word[..<$0]) } ?? word
      guard let option = options.first(where: { $0.name == name || $0.short == name }) else {
        let near = NearestKey.find(name, among: options.map(\.name))
        throw ExecutorFailure(
          .usage, "\(command) has no option \(name)",
          hint: near.map { "did you mean \($0)?" } ?? "`aurora-executor \(command) --help` lists them")
      }
      if !option.isRepeatable, has(option.name) {
        throw ExecutorFailure(.usage, "\(option.name) is given twice")
      }
      if option.value == nil {
        if equals != nil { throw ExecutorFailure(.usage, "\(option.name) takes no value") }
        add(option.name, [])
      } else if let equals {
        add(option.name, [String(word[word.index(after: equals)...])])
      } else {
        guard index < words.count else {
          throw ExecutorFailure(.usage, "\(option.name) needs a value: \(option.name) \(option.value ?? "")")
        }
        add(option.name, [words[index]])
        index += 1
      }
    }
  }

  /// The operands, when there are as many as the command takes.
  func operands(_ range: ClosedRange<Int>, _ what: String) throws(ExecutorFailure) -> [String] {
    guard range.contains(operands.count) else {
      throw ExecutorFailure(
        .usage,
        operands.count < range.lowerBound ? "\(what) is missing" : "unexpected \"\(operands[range.upperBound])\"")
    }
    return operands
  }
}
