import HTTP1

/// What a server wants to see before it answers: one challenge of `WWW-Authenticate` (RFC 9110 §11.6.1).
struct AuthenticationChallenge: Equatable, Sendable {
  /// In lower case: `basic`, `bearer`.
  let scheme: String
  /// Names in lower case, each once.
  let parameters: [(name: String, value: [UInt8])]

  static func == (left: AuthenticationChallenge, right: AuthenticationChallenge) -> Bool {
    left.scheme == right.scheme
      && left.parameters.elementsEqual(right.parameters) { $0.name == $1.name && $0.value == $1.value }
  }

  func value(_ name: String) -> [UInt8]? { parameters.first { $0.name == name }?.value }

  private static let maximumBytes = 8192
  private static let maximumChallenges = 8
  private static let maximumParameters = 32

  /// The challenges in the values of a response's `WWW-Authenticate` fields, in their order. What is malformed ends the
  /// reading of its field: nothing is guessed at, and what was whole before it stands.
  static func read(_ values: [[UInt8]]) -> [AuthenticationChallenge] {
    var found: [AuthenticationChallenge] = []
    for value in values where value.count <= maximumBytes {
      var reader = Reader(rest: value[...])
      while found.count < maximumChallenges, let next = reader.challenge() { found.append(next) }
    }
    return found
  }

  private struct Reader {
    var rest: ArraySlice<UInt8>
    /// The name of a challenge that was read where a parameter could have stood.
    var pending: [UInt8]?

    mutating func challenge() -> AuthenticationChallenge? {
      if pending == nil { skipSeparators() }
      guard let scheme = pending ?? token() else { return nil }
      pending = nil
      var parameters: [(name: String, value: [UInt8])] = []
      var isFirst = true
      while true {
        let before = rest
        if isFirst {
          // Between the scheme and what belongs to it there is a space, and no comma.
          guard let byte = rest.first, ASCII.isSpace(byte) else { break }
          skipSpaces()
        } else {
          skipSpaces()
          guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { return nil }
          skipSeparators()
        }
        if rest.isEmpty || rest.first == UInt8(ascii: ",") { break }
        guard let name = token() else { return nil }
        let afterName = rest
        skipSpaces()
        guard rest.first == UInt8(ascii: "=") else {
          rest = afterName
          if isFirst, rest.first != nil, !ASCII.isSpace(rest[rest.startIndex]), rest.first != UInt8(ascii: ",") {
            // A token68, which none of ours has.
            rest = before
            return nil
          }
          if isFirst, rest.isEmpty || rest.first == UInt8(ascii: ",") { break }
          pending = name
          break
        }
        rest.removeFirst()
        skipSpaces()
        guard let value = rest.first == UInt8(ascii: "\"") ? quoted() : token() else { return nil }
        let key = String(decoding: ASCII.lowercased(name), as: UTF8.self)
        // Two values for one name: whoever takes the first and whoever takes the last would go to different places.
        guard !parameters.contains(where: { $0.name == key }), parameters.count < maximumParameters else { return nil }
        parameters.append((key, value))
        isFirst = false
      }
      return AuthenticationChallenge(
        scheme: String(decoding: ASCII.lowercased(scheme), as: UTF8.self), parameters: parameters)
    }

    private mutating func skipSpaces() { rest = rest.drop(while: ASCII.isSpace) }

    private mutating func skipSeparators() {
      rest = rest.drop { ASCII.isSpace($0) || $0 == UInt8(ascii: ",") }
    }

    private mutating func token() -> [UInt8]? {
      let token = rest.prefix(while: ASCII.isTokenByte)
      guard !token.isEmpty else { return nil }
      rest = rest[token.endIndex...]
      return Array(token)
    }

    /// What stands between quotes, without the escapes; `nil` when they are not closed.
    private mutating func quoted() -> [UInt8]? {
      rest.removeFirst()
      var text: [UInt8] = []
      while let byte = rest.popFirst() {
        switch byte {
        case UInt8(ascii: "\""): return text
        case UInt8(ascii: "\\"):
          guard let escaped = rest.popFirst(), ASCII.isFieldByte(escaped) else { return nil }
          text.append(escaped)
        default:
          guard ASCII.isFieldByte(byte) else { return nil }
          text.append(byte)
        }
      }
      return nil
    }
  }
}
