import HTTP1

/// A version of the engine's API: `1.41`.
public struct APIVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Before the point.
  public let major: Int
  /// Behind the point.
  public let minor: Int

  /// The version `major.minor`.
  public init(_ major: Int, _ minor: Int) {
    self.major = major
    self.minor = minor
  }

  /// Reads `1.41`; `nil` for anything else.
  public init?(_ text: some Collection<UInt8>) {
    let parts = Array(text).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.count <= 4 }), let major = ASCII.decimal(parts[0]),
      let minor = ASCII.decimal(parts[1])
    else { return nil }
    self.init(Int(major), Int(minor))
  }

  /// The oldest version that this client speaks (Docker 19.03).
  public static let oldest = APIVersion(1, 40)
  /// The newest version that this client was written for (Docker 28).
  public static let newest = APIVersion(1, 51)

  /// As it stands in paths, without the `v`.
  public var description: String { "\(major).\(minor)" }

  /// The older version is the smaller one.
  public static func < (left: APIVersion, right: APIVersion) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }
}
