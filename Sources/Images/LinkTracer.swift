import Glibc
import LinuxKernel

/// Finds where a layer's entries belong whose names lead through links of lower layers.
struct LinkTracer {
  let layer: LayerStack.Layer
  let below: MergedTree
  /// The layer's own tree.
  let own: SharedDescriptor
  /// The layer's directories without an entry.
  private let implicit: Set<[UInt8]>

  init(layer: LayerStack.Layer, below: MergedTree, own: SharedDescriptor) {
    (self.layer, self.below, self.own) = (layer, below, own)
    implicit = Set(layer.gaps.directories)
  }

  /// A directory of the layer, and where a link that the layers below have in its place leads.
  struct Move {
    let from: [UInt8]
    let to: MergedTree.Directory
    /// The lower layer that has the link.
    let holder: Int
  }

  private var tree: MergedTree { MergedTree(layers: [own], effort: below.effort) }

  /// The directories without an entry in whose place the layers below have a link, to a directory or to what is not there.
  func moves() throws(ImageError) -> [Move] {
    let tree = tree
    var moves: [Move] = []
    func visit(_ node: DirectoryNames.Node, _ directory: MergedTree.Directory) throws(ImageError) {
      for (name, child) in node.children {
        let path = MergedTree.join(directory.path, name)
        switch try below.look(name, in: directory) {
        case .nothing: break
        case .directory(let next): if try !tree.isOpaque(path, 0) { try visit(child, next) }
        case .other(let status, let holder):
          guard status.isSymbolicLink, implicit.contains(path), let target = try below.resolve(path) else { break }
          moves.append(Move(from: path, to: target, holder: holder))
        }
      }
    }
    try visit(DirectoryNames(layer.gaps.directories).root, below.root)
    return moves
  }

  /// Puts what is in the directory where the link leads, and the link in its place.
  func place(_ move: Move, in supplement: inout StackSupplement) throws(ImageError) {
    let (parent, name) = StackSupplement.split(move.from)
    guard let holder = try below.open(parent, move.holder) else { throw .invalid("a directory of a layer is gone") }
    try supplement.link(name, of: holder, to: move.from)
    try copy(move.from, to: move.to.path, move.to, into: &supplement)
  }

  /// Gives all that is in a directory of the layer names in the supplement, below `target`.
  private func copy(
    _ path: [UInt8], to target: [UInt8], _ lower: MergedTree.Directory?, into supplement: inout StackSupplement
  ) throws(ImageError) {
    guard let directory = try tree.open(path, 0) else { return }
    defer { withExtendedLifetime(directory) {} }
    let (facts, listed) = try kernel("look at a directory") { () throws(Errno) in
      (
        try StackSupplement.Facts(of: directory.rawValue, overlay: true),
        try LinuxKernel.entries(of: directory.rawValue).map(\.name).sorted { $0.lexicographicallyPrecedes($1) }
      )
    }
    if implicit.contains(path) {
      try supplement.makeImplicitDirectory(target)
      try supplement.mark(target, facts)
    } else {
      try supplement.makeDirectory(target, like: facts)
    }
    let isCut = try tree.isOpaque(path, 0)
    for name in listed {
      let inner = MergedTree.join(path, name)
      let found = try kernel("look at what is there") { () throws(Errno) in
        try status(of: name, at: directory.rawValue)
      }
      guard found.isDirectory else {
        try supplement.link(name, of: directory, to: MergedTree.join(target, name))
        continue
      }
      var place = MergedTree.join(target, name)
      var next: MergedTree.Directory?
      if let lower, !isCut {
        switch try below.look(name, in: lower) {
        case .directory(let directory): next = directory
        case .other(let status, _) where status.isSymbolicLink && implicit.contains(inner):
          next = try below.resolve(place)
          if let next { place = next.path }
        case .other, .nothing: break
        }
      }
      try copy(inner, to: place, next, into: &supplement)
    }
  }

  /// Gives a file of the layers below the name that the layer's hard link has.
  func place(_ link: LayerGaps.Link, in supplement: inout StackSupplement) throws(ImageError) {
    let gone = ImageError.invalid(
      "a hard link to \(printable(link.target.prefix(512))), which is no file, or not in the layer nor in those below it"
    )
    let all = MergedTree(layers: below.layers + [own, supplement.root], effort: below.effort)
    guard let parent = try all.resolve(StackSupplement.split(link.target).parent) else { throw gone }
    // What was moved, and files that got their names just now, are in the supplement. Otherwise the layer did not have the target
    // then, so it is what the layers below have, whatever the layer made or deleted in that place later.
    var found = try holder(of: link.target, in: parent, of: all, only: all.layers.count - 1)
    if found == nil, let parent = try below.resolve(StackSupplement.split(link.target).parent) {
      found = try holder(of: link.target, in: parent, of: below)
    }
    if found == nil { found = try holder(of: link.target, in: parent, of: all) }
    guard let holder = found else { throw gone }
    let (nameParent, name) = StackSupplement.split(link.name)
    guard let directory = try all.resolve(nameParent) else { throw gone }
    // A later entry of that name wins. A whiteout only hides what is below.
    if let mine = try all.open(directory.path, all.layers.count - 2),
      let found = try? status(of: name, at: mine.rawValue), !MergedTree.isWhiteout(found)
    {
      return withExtendedLifetime(mine) {}
    }
    try supplement.link(
      StackSupplement.split(link.target).name, of: holder, to: MergedTree.join(directory.path, name))
  }

  /// The directory of the layer whose file has the last name of a path; `nil` when it is none.
  private func holder(
    of path: [UInt8], in parent: MergedTree.Directory, of tree: MergedTree, only: Int? = nil
  ) throws(ImageError) -> SharedDescriptor? {
    var parent = parent
    if let only { parent.parts.removeAll { $0 != only } }
    guard case .other(_, let layer) = try tree.look(StackSupplement.split(path).name, in: parent) else { return nil }
    return try tree.open(parent.path, layer)
  }
}
