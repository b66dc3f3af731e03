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
  /// What the layer shows by its own names.
  let shown: Shown
  /// The files that came behind some of the layer's hard links.
  private let later: [[UInt8]: UInt64]
  /// Which entry was whichever that made something, for those whose last name was not new.
  let order: [[UInt8]: UInt64]

  /// - Parameter shown: the layer's tree, where `own` was put aside from it.
  init(layer: LayerStack.Layer, below: MergedTree, own: SharedDescriptor, shown: Shown? = nil) {
    (self.layer, self.below, self.own) = (layer, below, own)
    implicit = Set(layer.gaps.directories)
    self.shown = shown ?? Shown(root: own, implicit: implicit)
    later = Dictionary(layer.gaps.later.map { ($0.path, $0.links) }) { $1 }
    order = Dictionary(layer.gaps.again.map { ($0.path, $0.order) }) { max($0, $1) }
  }

  /// A directory of the layer, and where a link that the layers below have in its place leads.
  struct Move {
    let from: [UInt8]
    let to: MergedTree.Directory
    /// The link, and the lower layer that has it.
    let link: [UInt8]
    let holder: Int
  }

  private var tree: MergedTree { MergedTree(layers: [own], effort: below.effort) }

  /// The directories without an entry in whose place the layers below have a link, to a directory or to what is not there; or
  /// the layer itself has given a link of theirs that name.
  func moves() throws(ImageError) -> [Move] {
    let named = try namedLinks()
    let tree = tree
    var moves: [Move] = []
    func visit(_ node: DirectoryNames.Node, _ directory: MergedTree.Directory) throws(ImageError) {
      for (name, child) in node.children {
        let path = MergedTree.join(directory.path, name)
        if let move = named[path] {
          moves.append(move)
          continue
        }
        switch try below.look(name, in: directory) {
        case .nothing: break
        case .directory(let next): if try !tree.isOpaque(path, 0) { try visit(child, next) }
        case .other(let status, let holder):
          guard status.isSymbolicLink, implicit.contains(path), let target = try target(of: path) else { break }
          moves.append(Move(from: path, to: target, link: path, holder: holder))
        }
      }
    }
    try visit(DirectoryNames(layer.gaps.directories).root, below.root)
    return moves
  }

  /// Where a path of the layers below leads, when the layer itself has put links in the way.
  private func target(of path: [UInt8]) throws(ImageError) -> MergedTree.Directory? {
    guard let found = try below.resolve(path) else { return nil }
    let all = MergedTree(layers: below.layers + [shown.root], effort: below.effort)
    guard let seen = try all.resolve(found.path), seen.path != found.path else { return found }
    return try below.directory(seen.path) ?? MergedTree.Directory(path: seen.path, parts: [])
  }

  /// The further names that the layer gives links of lower layers and goes through afterwards: a directory that was made before
  /// would have gone when the name was given.
  private func namedLinks() throws(ImageError) -> [[UInt8]: Move] {
    var moves: [[UInt8]: Move] = [:]
    for link in layer.gaps.links {
      let (above, leaf) = StackSupplement.split(link.name)
      guard let place = try tree.resolve(above)?.path else { continue }
      let path = MergedTree.join(place, leaf)
      guard implicit.contains(path), moves[path] == nil else { continue }
      let (parent, name) = StackSupplement.split(link.target)
      guard let directory = try below.resolve(parent),
        case .other(let status, let holder) = try below.look(name, in: directory), status.isSymbolicLink
      else { continue }
      let content = try below.readLink(name, in: directory.path, holder)
      let isAbsolute = content.first == UInt8(ascii: "/")
      guard let target = try below.resolve(isAbsolute ? content : MergedTree.join(place, content)) else { continue }
      moves[path] = Move(from: path, to: target, link: MergedTree.join(directory.path, name), holder: holder)
    }
    return moves
  }

  /// Puts what is in the directory where the link leads, and the link in its place.
  ///
  /// - Parameter isReplaced: the layer has something else in the link's place by now.
  func place(_ move: Move, isReplaced: Bool = false, in supplement: inout StackSupplement) throws(ImageError) {
    let (parent, name) = StackSupplement.split(move.link)
    guard let holder = try below.open(parent, move.holder) else { throw .invalid("a directory of a layer is gone") }
    if !isReplaced { try supplement.link(name, of: holder, to: move.from) }
    try copy(move.from, to: move.to.path, move.to, into: &supplement)
  }

  /// Gives all that is in a directory of the layer names in the supplement, below `target`.
  private func copy(
    _ path: [UInt8], to target: [UInt8], _ lower: MergedTree.Directory?, isKept: Bool = false,
    into supplement: inout StackSupplement
  ) throws(ImageError) {
    guard let directory = try tree.open(path, 0) else { return }
    defer { withExtendedLifetime(directory) {} }
    let (facts, listed) = try StackSupplement.contents(directory)
    if implicit.contains(path) || isOlder(path, than: target) {
      try supplement.makeImplicitDirectory(target)
      try supplement.mark(target, facts)
    } else {
      try supplement.makeDirectory(target, like: facts, order: order[path] ?? 0)
    }
    let isCut = try tree.isOpaque(path, 0)
    let mine = try shownTree.open(target, 0)
    defer { withExtendedLifetime(mine) {} }
    for name in listed {
      let inner = MergedTree.join(path, name)
      let found = try kernel("look at what is there") { () throws(Errno) in
        try status(of: name, at: directory.rawValue)
      }
      var place = MergedTree.join(target, name)
      let there = try mine.flatMap { (mine) throws(ImageError) in try statusIfThere(name, in: mine) }
      let mine = there.flatMap { MergedTree.isWhiteout($0) ? nil : $0 }
      guard found.isDirectory else {
        let made = MergedTree.isWhiteout(found) && mine == nil ? try supplement.existing(place) : nil
        if MergedTree.isWhiteout(found), let mine = mine ?? made {
          // It means what is below the layer, and nothing of its own.
          if mine.isDirectory {
            try keep(place, into: &supplement)
            try supplement.makeAnew(place)
          }
          continue
        }
        if mine != nil, isOlder(inner, than: place) { continue }
        let isLinked = try supplement.link(name, of: directory, to: place, order: order[inner] ?? 0)
        if isLinked, let links = later[inner] { supplement.later[place] = links }
        continue
      }
      if let mine, !mine.isDirectory, isOlder(inner, than: place) { continue }
      if try supplement.hasFile(place, after: order[inner] ?? 0) { continue }
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
      try copy(inner, to: place, next, isKept: isKept || isCut, into: &supplement)
    }
    // Once for all that is below.
    if isCut, !isKept, mine != nil { try keep(target, into: &supplement) }
  }

  /// Gives a file of the layers below the name that the layer's hard link has, which is its `number`th.
  func place(_ link: LayerGaps.Link, _ number: Int, in supplement: inout StackSupplement) throws(ImageError) {
    let gone = ImageError.invalid(
      "a hard link to \(printable(link.target.prefix(512))), which is no file, or not in the layer nor in those below it"
    )
    let all = MergedTree(layers: below.layers + [own, supplement.root], effort: below.effort)
    guard let parent = try all.resolve(StackSupplement.split(link.target).parent) else { throw gone }
    // What was moved, and files that got their names just now, are in the supplement. Otherwise the layer did not have the target
    // then, so it is what the layers below have, whatever the layer made or deleted in that place later.
    var found = try holder(of: link.target, in: parent, of: all, only: all.layers.count - 1)
    let moved = MergedTree.join(parent.path, StackSupplement.split(link.target).name)
    if let links = supplement.later[moved], links > UInt64(number) { found = nil }
    if found == nil, let parent = try below.resolve(StackSupplement.split(link.target).parent) {
      found = try holder(of: link.target, in: parent, of: below)
    }
    if found == nil { found = try holder(of: link.target, in: parent, of: all) }
    guard let holder = found else { throw gone }
    let (nameParent, name) = StackSupplement.split(link.name)
    let displaced = layer.gaps.displaced.first { $0.had(link, number) }?.directories.first
    // It went with what something else replaced, unless the layers below have a link there.
    if let displaced, try !isLinkBelow(displaced) { return }
    guard let directory = try (displaced == nil ? all : below).resolve(nameParent) else {
      if displaced != nil { return }
      throw gone
    }
    // A later entry of that name wins. A whiteout only hides what is below.
    if let mine = try all.open(directory.path, all.layers.count - 2),
      let found = try? status(of: name, at: mine.rawValue), !MergedTree.isWhiteout(found)
    {
      return withExtendedLifetime(mine) {}
    }
    try supplement.link(
      StackSupplement.split(link.target).name, of: holder, to: MergedTree.join(directory.path, name))
  }

  private func isLinkBelow(_ path: [UInt8]) throws(ImageError) -> Bool {
    let (parent, name) = StackSupplement.split(path)
    guard let directory = try below.directory(parent), case .other(let status, _) = try below.look(name, in: directory)
    else { return false }
    return status.isSymbolicLink
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
