import StrictJSON

/// How a container is attached to one network.
public struct EndpointSettings: Sendable, Equatable {
  /// Further names of the container on this network.
  public var aliases: [String] = []
  /// Links to other containers on this network, `name:alias`.
  public var links: [String] = []
  /// A fixed address.
  public var ipv4Address = ""
  /// A fixed address.
  public var ipv6Address = ""
  /// Link-local addresses.
  public var linkLocalAddresses: [String] = []
  /// `00:11:22:33:44:55` (API 1.44).
  public var macAddress = ""
  /// Options of the network's driver.
  public var driverOptions: [String: String] = [:]
  /// Which network's gateway is used; the highest wins (API 1.48).
  public var gatewayPriority: Int64?

  /// Whatever the network gives.
  public init() {}

  var json: JSON {
    JSON(object: [
      ("Aliases", .unlessEmpty(aliases)), ("Links", .unlessEmpty(links)), ("MacAddress", .unlessEmpty(macAddress)),
      ("DriverOpts", .unlessEmpty(driverOptions)), ("GwPriority", .number(gatewayPriority)),
      (
        "IPAMConfig",
        .unlessEmpty(object: [
          ("IPv4Address", .unlessEmpty(ipv4Address)), ("IPv6Address", .unlessEmpty(ipv6Address)),
          ("LinkLocalIPs", .unlessEmpty(linkLocalAddresses)),
        ])
      ),
    ])
  }
}
