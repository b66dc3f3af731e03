import StrictJSON

/// The names of ports: those that were assigned, and the aliases of `announce.portmap` that lead to them.
struct PortMap {
  /// Names with their numbers, aliases followed to their ends.
  private(set) var numbers: [String: Int]
  /// Aliases that lead round in a circle, as the loop: `a -> b -> a`.
  private(set) var loops: [String] = []
  /// Aliases that end in neither a number nor an assigned port.
  private(set) var danglers: [String] = []

  /// The most aliases that are followed.
  static var limit: Int { 1000 }

  /// - Parameter assigned: wins over an alias of the same name.
  init(aliases: [PortAlias], assigned: [String: Int]) {
    numbers = assigned
    for alias in aliases.prefix(Self.limit) where Self.find(alias.name, in: assigned) == nil {
      switch Self.end(of: alias.name, aliases: aliases, assigned: assigned) {
      case .number(let number): numbers[alias.name] = number
      case .name: danglers.append(alias.name)
      case .loop(let names): loops.append(names.joined(separator: " -> "))
      }
    }
  }

  subscript(name: String) -> Int? { Self.find(name, in: numbers) }

  enum End {
    case number(Int)
    /// The name at which the aliases end.
    case name(String)
    case loop([String])
  }

  static func end(of name: String, aliases: [PortAlias], assigned: [String: Int]) -> End {
    var names = [name]
    while true {
      let current = names[names.count - 1]
      if let number = find(current, in: assigned) ?? number(current) { return .number(number) }
      let next = aliases.prefix(limit).first { $0.name.utf8.elementsEqual(current.utf8) }?.target
      guard let next, names.count <= 64 else { return .name(current) }
      let isKnown = names.contains { $0.utf8.elementsEqual(next.utf8) }
      names.append(next)
      if isKnown { return .loop(names) }
    }
  }

  /// By bytes: a dictionary would take names for equal that only look so.
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
