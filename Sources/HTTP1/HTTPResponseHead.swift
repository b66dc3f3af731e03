/// The status line and the header fields of a response (RFC 9112 §4, §5).
public struct HTTPResponseHead: Sendable, Equatable {
  /// One header field as it was sent, without the white space around its value.
  public struct Field: Sendable, Equatable {
    /// In lower case.
    public let name: [UInt8]
    /// Bytes as sent; never a CR, LF or NUL.
    public let value: [UInt8]
  }

  /// The status code, 100 to 599.
  public let status: Int
  /// The reason phrase, for people only.
  public let reason: [UInt8]
  /// In the order of the message.
  public internal(set) var fields: [Field]

  /// The value of the first field called `name` (lower case), `nil` when there is none.
  public func value(of name: String) -> [UInt8]? {
    fields.first { $0.name.elementsEqual(name.utf8) }?.value
  }

  /// The values of every field called `name` (lower case).
  public func values(of name: String) -> [[UInt8]] {
    fields.filter { $0.name.elementsEqual(name.utf8) }.map(\.value)
  }

  /// Whether a comma-separated field holds `token` (lower case), in any case.
  public func lists(_ token: String, in name: String) -> Bool {
    values(of: name).contains { value in
      value.split(separator: UInt8(ascii: ",")).contains {
        ASCII.lowercased(ASCII.trimmed($0)).elementsEqual(token.utf8)
      }
    }
  }
}
