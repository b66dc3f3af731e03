import StrictJSON

/// A mount of a container, as `--mount` writes it.
public struct MountSpec: Sendable, Equatable {
  /// Where the content comes from.
  public enum Kind: String, Sendable, CaseIterable {
    /// A path of the host.
    case bind
    /// A volume of the engine.
    case volume
    /// Memory.
    case tmpfs
    /// A volume of a cluster (API 1.42).
    case cluster
    /// The content of an image (API 1.48).
    case image
    /// A named pipe of Windows.
    case npipe
  }

  /// Where the content comes from.
  public var kind: Kind
  /// A path or a name; empty for memory and for an anonymous volume.
  public var source: String
  /// The path inside.
  public var target: String
  /// It cannot be written.
  public var readOnly = false
  /// `consistent`, `cached`, `delegated`: hints that Linux ignores.
  public var consistency = ""

  /// `private`, `rprivate`, `shared`, `rshared`, `slave`, `rslave`; for binds.
  public var propagation = ""
  /// Mounts below the source are left out; for binds.
  public var nonRecursive = false
  /// The source is made when absent; for binds (API 1.42).
  public var createSource = false
  /// Mounts below the source stay writable although this one is read-only; for binds (API 1.44).
  public var readOnlyNonRecursive = false
  /// Mounts below the source must be made read-only too, or creation fails; for binds (API 1.44).
  public var readOnlyForceRecursive = false

  /// The image's content at the target is not copied into an empty volume.
  public var noCopy = false
  /// Labels of a volume that is made.
  public var volumeLabels: [String: String] = [:]
  /// Driver of a volume that is made.
  public var volumeDriver = ""
  /// Options of that driver.
  public var volumeOptions: [String: String] = [:]
  /// A directory of the volume (API 1.45) or of the image (API 1.48).
  public var subpath = ""

  /// Bytes; for memory.
  public var tmpfsSize: Int64?
  /// Permissions as a number (not in octal digits); for memory.
  public var tmpfsMode: Int64?

  /// A mount on `target`.
  public init(_ kind: Kind, source: String = "", target: String) {
    self.kind = kind
    self.source = source
    self.target = target
  }

  var json: JSON {
    let subpath = JSON.unlessEmpty(subpath)
    return JSON(object: [
      ("Type", JSON(kind.rawValue)), ("Source", .unlessEmpty(source)), ("Target", JSON(target)),
      ("ReadOnly", .ifTrue(readOnly)), ("Consistency", .unlessEmpty(consistency)),
      (
        "BindOptions",
        .unlessEmpty(object: [
          ("Propagation", .unlessEmpty(propagation)), ("NonRecursive", .ifTrue(nonRecursive)),
          ("CreateMountpoint", .ifTrue(createSource)), ("ReadOnlyNonRecursive", .ifTrue(readOnlyNonRecursive)),
          ("ReadOnlyForceRecursive", .ifTrue(readOnlyForceRecursive)),
        ])
      ),
      (
        "VolumeOptions",
        .unlessEmpty(object: [
          ("NoCopy", .ifTrue(noCopy)), ("Labels", .unlessEmpty(volumeLabels)),
          ("Subpath", kind == .image ? nil : subpath),
          (
            "DriverConfig",
            .unlessEmpty(object: [("Name", .unlessEmpty(volumeDriver)), ("Options", .unlessEmpty(volumeOptions))])
          ),
        ])
      ),
      (
        "TmpfsOptions",
        .unlessEmpty(object: [("SizeBytes", .number(tmpfsSize)), ("Mode", .number(tmpfsMode))])
      ),
      ("ImageOptions", .unlessEmpty(object: [("Subpath", kind == .image ? subpath : nil)])),
    ])
  }
}
