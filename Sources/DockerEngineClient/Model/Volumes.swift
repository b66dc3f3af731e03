import StrictJSON

/// A volume of the engine.
public struct Volume: Sendable, Equatable {
  /// Its name.
  public let name: String
  /// `local`, or the name of a plug-in.
  public let driver: String
  /// Where the host sees it; empty for some drivers.
  public let mountpoint: String
  /// Its labels.
  public let labels: [String: String]
  /// Options that it was made with.
  public let options: [String: String]

  init(_ fields: JSONFields) throws(DockerEngineError) {
    name = try fields.requiredString("Name")
    driver = try fields.string("Driver") ?? ""
    mountpoint = try fields.string("Mountpoint") ?? ""
    labels = try fields.stringMap("Labels")
    options = try fields.stringMap("Options")
  }
}

/// A volume to be made.
public struct VolumeSpec: Sendable, Equatable {
  /// Its name; empty for one that the engine makes up.
  public var name: String
  /// Empty for `local`.
  public var driver = ""
  /// Options of the driver.
  public var options: [String: String] = [:]
  /// Its labels.
  public var labels: [String: String] = [:]
  /// A local volume.
  public init(name: String = "") { self.name = name }

  var json: JSON {
    JSON(object: [
      ("Name", .unlessEmpty(name)), ("Driver", .unlessEmpty(driver)), ("DriverOpts", .unlessEmpty(options)),
      ("Labels", .unlessEmpty(labels)),
    ])
  }
}
