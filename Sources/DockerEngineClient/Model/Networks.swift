import StrictJSON

/// A network of the engine.
public struct EngineNetwork: Sendable, Equatable {
  /// 64 hexadecimal digits.
  public let id: String
  /// Its name.
  public let name: String
  /// `bridge`, `host`, `null`, `macvlan`, …
  public let driver: String
  /// `local`, `swarm`, `global`.
  public let scope: String
  /// It leads nowhere else.
  public let isInternal: Bool
  /// Its labels.
  public let labels: [String: String]
  /// `172.17.0.0/16`
  public let subnets: [String]
  /// Ids of containers on it; only when inspected.
  public let containers: [String]

  init(_ fields: JSONFields) throws(DockerEngineError) {
    id = try fields.requiredString("Id")
    name = try fields.requiredString("Name")
    driver = try fields.string("Driver") ?? ""
    scope = try fields.string("Scope") ?? ""
    isInternal = try fields.bool("Internal") ?? false
    labels = try fields.stringMap("Labels")
    var subnets: [String] = []
    for config in try fields.object("IPAM")?.objects("Config") ?? [] {
      if let subnet = try config.string("Subnet") { subnets.append(subnet) }
    }
    self.subnets = subnets
    containers = try fields.members("Containers").map(\.name)
  }
}

/// A network to be made.
public struct NetworkSpec: Sendable, Equatable {
  /// Its name.
  public var name: String
  /// Empty for `bridge`.
  public var driver = ""
  /// It shall lead nowhere else.
  public var isInternal = false
  /// With IPv6.
  public var enableIPv6 = false
  /// `10.1.0.0/16`; empty for what the engine chooses.
  public var subnets: [String] = []
  /// Options of the driver.
  public var options: [String: String] = [:]
  /// Its labels.
  public var labels: [String: String] = [:]
  /// A bridge called `name`.
  public init(name: String) { self.name = name }

  var json: JSON {
    JSON(object: [
      ("Name", JSON(name)), ("CheckDuplicate", true), ("Driver", .unlessEmpty(driver)),
      ("Internal", .ifTrue(isInternal)), ("EnableIPv6", .ifTrue(enableIPv6)), ("Options", .unlessEmpty(options)),
      ("Labels", .unlessEmpty(labels)),
      (
        "IPAM",
        subnets.isEmpty
          ? nil : JSON(object: [("Config", JSON(subnets.map { JSON(object: [("Subnet", JSON($0))]) }))])
      ),
    ])
  }
}
