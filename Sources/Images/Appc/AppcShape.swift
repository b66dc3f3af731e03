import LinuxKernel

/// What an archive has of an ACI (AppC specification, `aci.md`): `manifest`, a regular file, and `rootfs`, a directory;
/// nothing else.
struct AppcShape {
  private static let manifestName = Array("manifest".utf8)
  private static let rootfsName = Array("rootfs".utf8)
  private static let rootfsPrefix = Array("rootfs/".utf8)

  /// How often `manifest` occurs, and as what at last.
  private(set) var manifests = 0
  private(set) var manifestKind = TarEntry.Kind.file
  private(set) var hasRootfs = false
  /// The first member that is neither.
  private(set) var stray: [UInt8]?

  /// Takes note of a member; true when that is all that is to be done with it: files below `rootfs` can be anything.
  mutating func takes(_ name: [UInt8], _ kind: TarEntry.Kind) -> Bool {
    if name == AppcShape.rootfsName || name.starts(with: AppcShape.rootfsPrefix) {
      hasRootfs = true
      return true
    }
    if name == AppcShape.manifestName {
      manifests += 1
      manifestKind = kind
    } else if stray == nil, !name.isEmpty {
      stray = name
    }
    return false
  }

  /// Whether it is an ACI, or was to be one. What may be a root file system, and has more than the two, is that.
  func isImage(mayBeRoot: Bool) -> Bool { manifests > 0 && hasRootfs && !(mayBeRoot && stray != nil) }

  /// Refuses what is no ACI though it looks like one.
  func check() throws(ImageError) {
    guard manifests == 1 else { throw .invalid("there are \(manifests) members called manifest") }
    guard manifestKind == .file else { throw .invalid("its manifest is no regular file") }
    if let stray {
      throw .invalid("\(printable(stray.prefix(512))) is neither its manifest nor below its rootfs")
    }
  }

  /// What a member of an ACI is in the layer that is made of it; `nil` when nothing.
  static func inRootfs(_ entry: TarEntry, budgets: Budgets) throws(ImageError) -> TarEntry? {
    let path = Array(try LayerPath(entry.name, budgets: budgets).text.dropLast())
    if path.isEmpty || path == manifestName { return nil }
    var inner = entry
    if path == rootfsName {
      inner.name = [UInt8(ascii: ".")]
    } else if path.starts(with: rootfsPrefix) {
      inner.name = Array(path.dropFirst(rootfsPrefix.count))
    } else {
      throw .invalid("it is neither the manifest nor below rootfs")
    }
    guard entry.kind == .hardLink else { return inner }
    let target: [UInt8]
    do throws(ImageError) { target = Array(try LayerPath(entry.linkName, budgets: budgets).text.dropLast()) } catch {
      throw error.at("hard link to \(printable(entry.linkName.prefix(512)))")
    }
    guard target.starts(with: rootfsPrefix) else {
      throw .invalid("a hard link to \(printable(target.prefix(512))), which is not below rootfs")
    }
    inner.linkName = Array(target.dropFirst(rootfsPrefix.count))
    return inner
  }
}
