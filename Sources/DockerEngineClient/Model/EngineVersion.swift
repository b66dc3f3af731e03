/// The engine's answer to a ping, from the header fields of `/_ping`.
public struct EnginePing: Sendable, Equatable {
  /// The newest API version that it speaks.
  public let apiVersion: APIVersion
  /// `linux`, where it says so.
  public let osType: String?
  /// Experimental features are on.
  public let experimental: Bool
}

/// What `/version` tells.
public struct EngineVersion: Sendable, Equatable {
  /// Of the engine: `20.10.24+dfsg1`.
  public let version: String
  /// The newest API version that it speaks.
  public let apiVersion: APIVersion
  /// The oldest API version that it speaks, where it says so.
  public let minimumAPIVersion: APIVersion?
  /// `linux`.
  public let os: String
  /// As Go names it: `amd64`.
  public let architecture: String
  /// As uname(2) gives it.
  public let kernelVersion: String
  /// The commit that the engine was built from.
  public let gitCommit: String

  init(_ fields: JSONFields) throws(DockerEngineError) {
    version = try fields.requiredString("Version")
    let api = try fields.requiredString("ApiVersion")
    guard let parsed = APIVersion(api.utf8) else {
      throw .decoding("ApiVersion is \"\(excerpt(api.utf8, limit: 40))\"")
    }
    apiVersion = parsed
    minimumAPIVersion = try fields.string("MinAPIVersion").flatMap { APIVersion($0.utf8) }
    os = try fields.string("Os") ?? ""
    architecture = try fields.string("Arch") ?? ""
    kernelVersion = try fields.string("KernelVersion") ?? ""
    gitCommit = try fields.string("GitCommit") ?? ""
  }
}
