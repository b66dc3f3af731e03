import LinuxKernel

/// The name of an entry in a layer, relative to the layer's root and short enough for the kernel.
///
/// Everything is decided on bytes. `String` would compare by grapheme and hide separators and prefixes: a slash or a
/// `.wh.` followed by a combining mark is one other character there.
struct LayerPath {
  /// Components joined by one slash each, NUL at the end; only a NUL for the root of the layer.
  private(set) var text: [UInt8] = []
  /// Where the last component starts in `text`.
  private(set) var leaf = 0

  private static let slash = UInt8(ascii: "/")
  private static let dot = UInt8(ascii: ".")

  /// Reads `name` as umoci and Docker do: the layer is its root, so slashes at the start, doubled or at the end and `.`
  /// mean nothing, and `..` takes back the component before it and stops at the root. Nothing here keeps a name inside
  /// the layer; the kernel does, when it resolves what is left.
  init(_ name: [UInt8], budgets: Budgets) throws(ImageError) {
    guard name.count <= budgets.pathBytes else { throw .invalid("the name is \(name.count) bytes long") }
    text.reserveCapacity(name.count + 1)
    var depth = 0
    var start = 0
    while start < name.count {
      var end = start
      while end < name.count, name[end] != LayerPath.slash {
        if name[end] == 0 { throw .invalid("the name holds a NUL") }
        end += 1
      }
      let length = end - start
      defer { start = end + 1 }
      if length == 0 || (length == 1 && name[start] == LayerPath.dot) { continue }
      if length == 2, name[start] == LayerPath.dot, name[start + 1] == LayerPath.dot {
        text.removeSubrange((text.lastIndex(of: LayerPath.slash) ?? 0)...)
        depth = max(depth - 1, 0)
        continue
      }
      if length > budgets.componentBytes { throw .invalid("a component of the name is \(length) bytes long") }
      depth += 1
      if depth > budgets.depth { throw .invalid("the name is more than \(budgets.depth) directories deep") }
      if !text.isEmpty { text.append(LayerPath.slash) }
      text += name[start..<end]
    }
    leaf = text.lastIndex(of: LayerPath.slash).map { $0 + 1 } ?? 0
    text.append(0)
  }

  /// The root of the layer itself.
  var isRoot: Bool { text.count == 1 }
  /// The last component, without the NUL.
  var leafBytes: ArraySlice<UInt8> { text[leaf..<(text.count - 1)] }
  /// What stands before the last component; empty when that is the root.
  var parent: ArraySlice<UInt8> { text[..<max(leaf - 1, 0)] }

  /// What a name stands for.
  enum Meaning: Equatable {
    case plain
    /// `.wh.NAME`: NAME does not exist any more.
    case whiteout([UInt8])
    /// `.wh..wh..opq`: nothing of the directory in lower layers exists any more.
    case opaque
    /// Bookkeeping of AUFS (`.wh..wh.aufs` and such), which is no part of the image.
    case bookkeeping
    /// `.wh..wh.plnk/NAME`: where AUFS keeps a file that has several names. Hard links lead there.
    case keptForLinks
  }

  private static let whiteoutPrefix = Array(".wh.".utf8)
  private static let bookkeepingPrefix = Array(".wh..wh.".utf8)
  private static let opaqueName = Array(".wh..wh..opq".utf8)
  /// The directory of what is `keptForLinks`.
  static let keptName = Array(".wh..wh.plnk".utf8)

  /// What the name means, decided on its bytes. Whiteouts of nothing, of `.` and of `..` are refused.
  func meaning() throws(ImageError) -> Meaning {
    // The common case: no component starts like a whiteout.
    let dotW = UInt8(ascii: "w")
    var suspicious = false
    for index in text.indices.dropLast(3) where text[index] == LayerPath.dot && text[index + 1] == dotW {
      if index == 0 || text[index - 1] == LayerPath.slash { suspicious = true }
    }
    guard suspicious else { return .plain }

    // Like Docker and umoci, a whiteout is what is called so: above the last component these are names like others.
    let leaf = leafBytes
    if parent.elementsEqual(LayerPath.keptName), !leaf.starts(with: LayerPath.whiteoutPrefix) { return .keptForLinks }
    if text.pathComponents.first?.elementsEqual(LayerTree.displacedName) == true {
      throw .invalid("names below \(printable(LayerTree.displacedName)) are the unpacker's own")
    }
    if parent.starts(with: LayerPath.bookkeepingPrefix) { return .bookkeeping }
    guard leaf.starts(with: LayerPath.whiteoutPrefix) else { return .plain }
    if leaf.elementsEqual(LayerPath.opaqueName) { return .opaque }
    let target = leaf.dropFirst(LayerPath.whiteoutPrefix.count)
    if target.isEmpty || target.elementsEqual(".".utf8) || target.elementsEqual("..".utf8) {
      throw .invalid("a whiteout of nothing, of . or of ..")
    }
    if leaf.starts(with: LayerPath.bookkeepingPrefix) { return .bookkeeping }
    return .whiteout(Array(target))
  }
}
