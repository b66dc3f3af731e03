import Glibc
import LinuxKernel

/// Layers as one tree, as overlayfs would show it, without mounting anything: an import needs to look at a few names only, and
/// may run where overlayfs cannot be mounted.
///
/// What is below a layer's directory was made by a worker that nobody believes, so every directory is opened from the layer's
/// root without following a link.
struct MergedTree {
  /// The roots of the layers, lowest first.
  let layers: [SharedDescriptor]
  let effort: StackEffort

  /// A directory that one or more layers have.
  struct Directory {
    /// Without links; empty for the root.
    let path: [UInt8]
    /// The layers whose content is seen, the uppermost first.
    var parts: [Int]
    /// Those below that have it as well, but hidden by an opaque directory above. What it is like may be theirs to say.
    var hidden: [Int] = []
  }

  enum Found {
    case nothing
    case directory(Directory)
    /// Anything else, in this layer.
    case other(FileStatus, layer: Int)
  }

  var root: Directory { Directory(path: [], parts: Array(layers.indices.reversed())) }

  static let opaqueAttribute = Array("user.overlay.opaque".utf8)

  /// What has a name in a directory.
  func look(_ name: [UInt8], in directory: Directory) throws(ImageError) -> Found {
    let path = MergedTree.join(directory.path, name)
    var found = Directory(path: path, parts: [])
    var isCut = false
    for layer in directory.parts {
      guard let holder = try open(directory.path, layer), let status = try statusIfThere(name, in: holder) else {
        continue
      }
      guard status.isDirectory else {
        if !found.parts.isEmpty || MergedTree.isWhiteout(status) { break }
        return .other(status, layer: layer)
      }
      if isCut { found.hidden.append(layer) } else { found.parts.append(layer) }
      if !isCut { isCut = try isOpaque(path, layer) }
    }
    return found.parts.isEmpty ? .nothing : .directory(found)
  }

  /// The directory at a path without links.
  func directory(_ path: [UInt8]) throws(ImageError) -> Directory? {
    var directory = root
    for name in path.pathComponents {
      guard case .directory(let next) = try look(Array(name), in: directory) else { return nil }
      directory = next
    }
    return directory
  }

  /// The directory that a path leads to, through links; one without parts when it is missing, `nil` when something else is on
  /// the way.
  func resolve(_ path: [UInt8]) throws(ImageError) -> Directory? {
    var walk = PathWalk(path[...])
    do throws(ImageError) {
      while let name = try walk.next() {
        var found = Found.nothing
        if let above = try directory(walk.place) { found = try look(name, in: above) }
        switch found {
        case .directory, .nothing: try walk.enter(name)
        case .other(let status, let layer) where status.isSymbolicLink:
          try walk.follow(try readLink(name, in: walk.place, layer))
        case .other: return nil
        }
      }
    } catch {
      // Links in a circle lead nowhere.
      guard error.kind == .invalid else { throw error }
      return nil
    }
    return try directory(walk.place) ?? Directory(path: walk.place, parts: [])
  }

  func readLink(_ name: [UInt8], in directory: [UInt8], _ layer: Int) throws(ImageError) -> [UInt8] {
    guard let holder = try open(directory, layer) else { throw .invalid("a directory of a layer is gone") }
    return try kernel("read a symbolic link") { () throws(Errno) in
      try readSymbolicLink(name, at: holder.rawValue)
    }
  }

  /// A layer's own directory at a path without links; `nil` when it has none there.
  func open(_ path: [UInt8], _ layer: Int) throws(ImageError) -> SharedDescriptor? {
    if path.isEmpty { return layers[layer] }
    try effort.step(path)
    do throws(Errno) {
      return SharedDescriptor(
        try openBelow(
          layers[layer].rawValue, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
          resolve: [.beneath, .noSymlinks, .noCrossMounts]))
    } catch  where [ENOENT, ENOTDIR, ELOOP].contains(error.code) {
      return nil
    } catch {
      throw ImageError(error, doing: "open a directory of a layer")
    }
  }

  func isOpaque(_ path: [UInt8], _ layer: Int) throws(ImageError) -> Bool {
    guard let opened = try open(path, layer) else { return false }
    let value = try kernel("read an attribute") { () throws(Errno) in
      try attribute(MergedTree.opaqueAttribute, of: opened.rawValue)
    }
    return value == [UInt8(ascii: "y")]
  }

  /// On overlayfs, where nobody can make the kernel's own whiteouts, a socket stands for one: no layer has another.
  static func isWhiteout(_ status: FileStatus) -> Bool {
    status.isCharacterDevice && status.deviceType == 0 || status.mode & UInt32(S_IFMT) == UInt32(S_IFSOCK)
  }

  static func join(_ path: [UInt8], _ name: some Sequence<UInt8>) -> [UInt8] {
    path + (path.isEmpty ? [] : [UInt8(ascii: "/")]) + Array(name)
  }
}

/// What a directory has under a name, links not followed; `nil` when there is nothing.
func statusIfThere(_ name: [UInt8], in directory: SharedDescriptor) throws(ImageError) -> FileStatus? {
  do throws(Errno) {
    return try status(of: name, at: directory.rawValue)
  } catch  where error.code == ENOENT {
    return nil
  } catch {
    throw ImageError(error, doing: "look at \(printable(name))")
  }
}
