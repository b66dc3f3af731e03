import Glibc
import LinuxKernel

/// What a layer has by its own names where its entries come through links of lower layers.
extension LinkTracer {
  struct Shown {
    let root: SharedDescriptor
    /// The directories without an entry.
    let implicit: Set<[UInt8]>
  }

  var shownTree: MergedTree { MergedTree(layers: [shown.root], effort: below.effort) }

  /// Whether what came through a link came before what the layer has at that place by its own name.
  func isOlder(_ path: [UInt8], than place: [UInt8]) -> Bool {
    guard path != place, let last = order[place] else { return false }
    return (order[path] ?? 0) < last
  }

  /// Keeps what the layer has in a directory by its own name, where what is below is hidden. What came through the link has its
  /// name already, unless this is newer.
  func keep(_ path: [UInt8], into supplement: inout StackSupplement) throws(ImageError) {
    guard let directory = try shownTree.open(path, 0) else { return }
    defer { withExtendedLifetime(directory) {} }
    let (facts, listed) = try StackSupplement.contents(directory)
    if shown.implicit.contains(path) {
      try supplement.makeImplicitDirectory(path)
    } else {
      try supplement.makeDirectory(path, like: facts, order: order[path] ?? 0)
    }
    for name in listed {
      guard let found = try statusIfThere(name, in: directory) else { continue }
      let inner = MergedTree.join(path, name)
      if found.isDirectory {
        try keep(inner, into: &supplement)
      } else if !MergedTree.isWhiteout(found) {
        try supplement.link(name, of: directory, to: inner, order: order[inner] ?? 0)
      }
    }
  }
}
