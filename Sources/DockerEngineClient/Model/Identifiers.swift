import HTTP1

/// Whether text is an id as the engine makes them: 64 lower-case hexadecimal digits.
private func isEngineID(_ text: String) -> Bool {
  text.utf8.count == 64 && text.utf8.allSatisfy(ASCII.isLowercaseHexadecimal)
}

/// The id of a container. What an engine sends is checked before it becomes one, so it is safe in a path.
public struct ContainerID: Hashable, Sendable, CustomStringConvertible {
  /// 64 lower-case hexadecimal digits.
  public let text: String
  /// `nil` unless `text` is 64 lower-case hexadecimal digits.
  public init?(_ text: String) {
    guard isEngineID(text) else { return nil }
    self.text = text
  }
  /// The first 12 digits, as people are used to.
  public var short: String { String(decoding: text.utf8.prefix(12), as: UTF8.self) }
  /// The whole id.
  public var description: String { text }
}

/// The id of a command that runs, or will run, in a container besides its own.
public struct ExecID: Hashable, Sendable, CustomStringConvertible {
  /// 64 lower-case hexadecimal digits.
  public let text: String
  /// `nil` unless `text` is 64 lower-case hexadecimal digits.
  public init?(_ text: String) {
    guard isEngineID(text) else { return nil }
    self.text = text
  }
  /// The whole id.
  public var description: String { text }
}

/// The id of an image: the digest of its configuration, or of its manifest where the engine uses containerd's store.
public struct ImageID: Hashable, Sendable, CustomStringConvertible {
  /// `sha256:` and 64 lower-case hexadecimal digits.
  public let text: String
  /// `nil` unless `text` is `sha256:` and 64 lower-case hexadecimal digits.
  public init?(_ text: String) {
    let prefix = "sha256:".utf8
    guard text.utf8.starts(with: prefix),
      isEngineID(String(decoding: text.utf8.dropFirst(prefix.count), as: UTF8.self))
    else { return nil }
    self.text = text
  }
  /// The whole id.
  public var description: String { text }
}

/// Checks of names before they go into a path.
enum EngineName {
  /// `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, what the engine accepts for containers, volumes and networks.
  static func check(_ name: String, _ what: String) throws(DockerEngineError) -> String {
    let bytes = Array(name.utf8)
    guard let first = bytes.first, bytes.count <= 255, ASCII.isAlphanumeric(first),
      bytes.allSatisfy({ ASCII.isAlphanumeric($0) || "_.-".utf8.contains($0) })
    else {
      throw .invalid(
        "\"\(excerpt(bytes, limit: 80))\" is no name for a \(what): letters, digits, '_', '.' and '-' are allowed, "
          + "starting with a letter or digit")
    }
    return name
  }

  /// A reference to an image, `host:5000/team/app:tag@sha256:…`, encoded for a path. What it means is the engine's to
  /// say; that it stays one path below `/images/` is ours.
  static func imagePath(_ reference: String) throws(DockerEngineError) -> String {
    let bytes = Array(reference.utf8)
    let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard let first = bytes.first, bytes.count <= 1024, ASCII.isAlphanumeric(first),
      bytes.allSatisfy({ ASCII.isAlphanumeric($0) || "_.-/:@+".utf8.contains($0) }),
      parts.allSatisfy({ !$0.isEmpty && $0 != [UInt8(ascii: ".")][...] && $0 != Array("..".utf8)[...] })
    else { throw .invalid("\"\(excerpt(bytes, limit: 120))\" is no reference to an image") }
    return PercentEncoding.encode(reference, keeping: "/:@")
  }
}
