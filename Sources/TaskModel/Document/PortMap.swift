/// The names of ports: those that were assigned, and the aliases of `announce.portmap` that lead to them.
struct PortMap {
  /// The most aliases that are followed.
  static var limit: Int { 1000 }

  /// Where the aliases lead from a name.
  enum End {
    case number(Int)
    /// The name at which the aliases end.
    case name(String)
    case loop([String])
  }

  /// Names with their numbers, aliases followed to their ends.
  private(set) var numbers: [String: Int]
  /// Aliases that lead round in a circle, as the loop: `a -> b -> a`.
  private(set) var loops: [String] = []
  private let assigned: [String: Int]
  /// By the bytes of the name.
  private let targets: [[UInt8]: String]

  /// - Parameter assigned: wins over an alias of the same name.
  init(aliases: [PortAlias], assigned: [String: Int]) {
    self.assigned = assigned
    numbers = assigned
    // More than that was reported, and is not worth the time.
    let aliases = aliases.count <= Self.limit ? aliases : []
    targets = Dictionary(aliases.map { (Array($0.name.utf8), $0.target) }, uniquingKeysWith: { first, _ in first })
    for alias in aliases where Self.find(alias.name, in: assigned) == nil {
      switch end(of: alias.name) {
      case .number(let number): numbers[alias.name] = number
      case .name: break
      case .loop(let names): loops.append(names.joined(separator: " -> "))
      }
    }
  }

  subscript(name: String) -> Int? { Self.find(name, in: numbers) }

  func end(of name: String) -> End {
    var names = [name]
    var seen: Set<[UInt8]> = [Array(name.utf8)]
    while true {
      let current = names[names.count - 1]
      if let number = Self.find(current, in: assigned) ?? Self.number(current) { return .number(number) }
      guard let next = targets[Array(current.utf8)], names.count <= 64 else { return .name(current) }
      names.append(next)
      if !seen.insert(Array(next.utf8)).inserted { return .loop(names) }
    }
  }

  /// By bytes: a dictionary of strings takes names for equal that only look so.
  private static func find(_ name: String, in ports: [String: Int]) -> Int? {
    guard let found = ports.index(forKey: name), ports[found].key.utf8.elementsEqual(name.utf8) else { return nil }
    return ports[found].value
  }

  /// A literal port, in plain digits.
  private static func number(_ text: String) -> Int? {
    let bytes = Array(text.utf8)
    guard (1...5).contains(bytes.count), bytes.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    let number = bytes.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    return (1...65535).contains(number) ? number : nil
  }
}
