import HTTP1

/// `mount`: `type=bind,source=/a,target=/b,readonly`.
enum MountOption {
  static func mount(_ state: inout RunOptionState, _ text: String) throws(RunOptionProblem) {
    var mount = MountSpec(.volume, target: "")
    var used: Set<String> = []
    for field in try RunOptionValue.csv(text) {
      let (written, value) = RunOptionValue.cut(field, "=")
      let name = String(decoding: ASCII.lowercased(written.utf8), as: UTF8.self)
      if let value, value.isEmpty || ASCII.trimmed(Array(value.utf8)[...]).count != value.utf8.count {
        throw RunOptionProblem("\(excerpt(name.utf8, limit: 40)) has an empty value, or spaces around it")
      }
      if let dash = name.utf8.firstIndex(of: UInt8(ascii: "-")) {
        let family = String(decoding: name.utf8[..<dash], as: UTF8.self)
        if ["bind", "volume", "tmpfs", "image"].contains(family) { used.insert(family) }
      }
      if try !flag(name, value, &mount) {
        guard let value else {
          throw RunOptionProblem("\"\(excerpt(field.utf8, limit: 60))\" should be a name and a value")
        }
        try set(name, value, &mount)
      }
    }
    if mount.target.isEmpty { throw RunOptionProblem("a mount needs a target") }
    // Mixed-up families are not only useless: the engine would leave out what it does not expect.
    if let other = used.first(where: { $0 != mount.kind.rawValue }) {
      throw RunOptionProblem("\(other)-… options do not go with a mount of type \(mount.kind.rawValue)")
    }
    try check(mount)
    mount.target = try state.take(target: mount.target)
    state.request.hostConfig.mounts.append(mount)
  }

  private static func check(_ mount: MountSpec) throws(RunOptionProblem) {
    if mount.kind == .bind {
      _ = try RunOptionValue.absolutePath(mount.source, "a source on the host")
    }
    if mount.readOnlyNonRecursive || mount.readOnlyForceRecursive, !mount.readOnly {
      throw RunOptionProblem("bind-recursive=writable and bind-recursive=readonly go only with readonly")
    }
    if mount.readOnlyForceRecursive, !mount.propagation.utf8.elementsEqual("rprivate".utf8) {
      throw RunOptionProblem("bind-recursive=readonly goes only with bind-propagation=rprivate")
    }
  }

  /// Options that may stand alone; true when `name` is one.
  private static func flag(
    _ name: String, _ value: String?, _ mount: inout MountSpec
  ) throws(RunOptionProblem) -> Bool {
    let path: WritableKeyPath<MountSpec, Bool>
    switch name {
    case "readonly", "ro": path = \.readOnly
    case "volume-nocopy": path = \.noCopy
    case "bind-create-src": path = \.createSource
    case "bind-nonrecursive": path = \.nonRecursive
    default: return false
    }
    switch value {
    case nil, "1", "true": mount[keyPath: path] = true
    case "0", "false": mount[keyPath: path] = false
    case .some(let value): throw .value(value, "true or false")
    }
    return true
  }

  private static func set(_ name: String, _ value: String, _ mount: inout MountSpec) throws(RunOptionProblem) {
    let lowered = String(decoding: ASCII.lowercased(value.utf8), as: UTF8.self)
    switch name {
    case "type":
      guard let kind = MountSpec.Kind(rawValue: lowered), kind != .npipe else {
        throw .value(value, "a type of mount: bind, volume, tmpfs, image or cluster")
      }
      mount.kind = kind
    case "source", "src": mount.source = value
    case "target", "dst", "destination":
      mount.target = try RunOptionValue.absolutePath(value, "a path in the container")
    case "consistency": mount.consistency = try one(lowered, of: ["consistent", "cached", "delegated", "default"])
    case "bind-propagation":
      mount.propagation = try one(lowered, of: ["private", "rprivate", "shared", "rshared", "slave", "rslave"])
    case "bind-recursive":
      switch try one(lowered, of: ["enabled", "disabled", "writable", "readonly"]) {
      case "disabled": mount.nonRecursive = true
      case "writable": mount.readOnlyNonRecursive = true
      case "readonly": mount.readOnlyForceRecursive = true
      default: break
      }
    case "volume-subpath", "image-subpath": mount.subpath = value
    case "volume-driver": mount.volumeDriver = value
    case "volume-label":
      let (key, text) = RunOptionValue.cut(value, "=")
      if !key.isEmpty { mount.volumeLabels[key] = text ?? "" }
    case "volume-opt":
      let (key, text) = RunOptionValue.cut(value, "=")
      if !key.isEmpty { mount.volumeOptions[key] = text ?? "" }
    case "tmpfs-size": mount.tmpfsSize = try RunOptionValue.size(value)
    case "tmpfs-mode":
      guard let mode = UInt32(value, radix: 8) else { throw .value(value, "permissions in octal digits") }
      mount.tmpfsMode = Int64(mode)
    default:
      let hint = NearNames.of(name, among: names)
      throw RunOptionProblem(
        "there is no mount option \"\(excerpt(name.utf8, limit: 40))\""
          + (hint.isEmpty ? "" : "; near: \(hint.joined(separator: ", "))"))
    }
  }

  private static let names = [
    "type", "source", "src", "target", "dst", "destination", "readonly", "ro", "consistency", "bind-propagation",
    "bind-recursive", "bind-nonrecursive", "bind-create-src", "volume-subpath", "volume-nocopy", "volume-label",
    "volume-driver", "volume-opt", "image-subpath", "tmpfs-size", "tmpfs-mode",
  ]

  private static func one(_ value: String, of allowed: [String]) throws(RunOptionProblem) -> String {
    guard allowed.contains(where: { $0.utf8.elementsEqual(value.utf8) }) else {
      throw .value(value, "one of \(allowed.joined(separator: ", "))")
    }
    return value
  }
}
