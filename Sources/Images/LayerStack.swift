import Glibc
import LinuxKernel

/// The layers of one image, completed with what each leaves to those below it (`LayerGaps`).
///
/// Layers are unpacked without knowing what lies below, at once and each for all images that have it. What an image's own
/// order makes of them is put into supplements, small layers of their own: above a layer that reaches through a link of a
/// lower one, and at the top one with the directories that a lower layer says more about than the one that is seen.
struct LayerStack {
  /// A layer, unpacked.
  struct Layer {
    let id: Digest
    let tree: String
    var gaps: LayerGaps
    /// For errors: `layer 2 of 3`.
    let place: String
  }

  /// A layer that was made here.
  struct Supplement {
    let id: Digest
    let directory: String
    let entries: UInt64
    let gaps: LayerGaps
  }

  /// What is to be stacked, lowest first.
  private(set) var ids: [Digest] = []
  private(set) var supplements: [Supplement] = []
  private var roots: [SharedDescriptor] = []
  private var implicit: [Set<[UInt8]>] = []
  /// Makes a directory for a supplement.
  private let makeRoom: () throws(ImageError) -> String

  private let effort: StackEffort

  init(_ effort: StackEffort, room: @escaping () throws(ImageError) -> String) {
    self.effort = effort
    makeRoom = room
  }

  /// Does it. The layers are those that are seen, lowest first, each once.
  mutating func run(_ layers: [Layer]) throws(ImageError) {
    let mask = setCreationMask(0)
    defer { _ = setCreationMask(mask) }
    for layer in layers {
      let root = try kernel("open \(layer.tree)") { () throws(Errno) in
        SharedDescriptor(try openFile(layer.tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
      }
      let below = MergedTree(layers: roots, effort: effort)
      push(layer.id, root, layer.gaps)
      guard !layer.gaps.isEmpty else { continue }
      do throws(ImageError) { try complete(layer, below) } catch { throw error.at(layer.place) }
    }
    try adoptDirectories()
  }

  private mutating func push(_ id: Digest, _ root: SharedDescriptor, _ gaps: LayerGaps) {
    ids.append(id)
    roots.append(root)
    implicit.append(Set(gaps.directories))
  }

  /// Puts a supplement above a layer where that leads through links of lower ones.
  private mutating func complete(_ layer: Layer, _ below: MergedTree) throws(ImageError) {
    let tracer = LinkTracer(layer: layer, below: below, own: roots[roots.count - 1])
    let moves = below.layers.isEmpty ? [] : try tracer.moves()
    guard !moves.isEmpty || !layer.gaps.links.isEmpty || !layer.gaps.displaced.isEmpty else { return }
    let directory = try makeRoom()
    var supplement = try StackSupplement(in: directory, effort)
    for move in moves { try tracer.place(move, in: &supplement) }
    try follow(layer, below, moves, in: &supplement)
    try placeDisplaced(layer, below, in: &supplement)
    for (number, link) in layer.gaps.links.enumerated() {
      do throws(ImageError) { try tracer.place(link, number, in: &supplement) } catch {
        throw error.at("entry \(printable(link.name.prefix(512)))")
      }
    }
    guard supplement.entries > 0 else { return }
    try finish(supplement, "links", directory)
  }

  /// Places what went through links of lower layers in whose place the layer has something else by now. What came later has
  /// its name by then.
  private func placeDisplaced(_ layer: Layer, _ below: MergedTree, in supplement: inout StackSupplement)
    throws(ImageError)
  {
    guard !below.layers.isEmpty else { return }
    for (number, displaced) in layer.gaps.displaced.enumerated().reversed() {
      var part = layer
      part.gaps = LayerGaps()
      part.gaps.directories = displaced.directories
      let own = try DisplacedTrees.open(number, besideTree: layer.tree)
      part.gaps.again = layer.gaps.again
      let tracer = LinkTracer(
        layer: part, below: below, own: own,
        shown: LinkTracer.Shown(root: roots[roots.count - 1], implicit: Set(layer.gaps.directories)))
      for move in try tracer.moves() { try tracer.place(move, isReplaced: true, in: &supplement) }
    }
  }

  /// Places what went through links that were themselves just placed, and so on.
  private func follow(
    _ layer: Layer, _ below: MergedTree, _ placed: [LinkTracer.Move], in supplement: inout StackSupplement
  ) throws(ImageError) {
    var (known, last) = (Set(placed.map(\.from)), placed)
    // As many as the kernel follows.
    for _ in 0..<40 where !last.isEmpty {
      let seen = MergedTree(layers: below.layers + [supplement.root], effort: effort)
      let tracer = LinkTracer(layer: layer, below: seen, own: roots[roots.count - 1])
      last = try tracer.moves().filter { known.insert($0.from).inserted }
      for move in last { try tracer.place(move, in: &supplement) }
    }
  }

  private mutating func finish(_ supplement: StackSupplement, _ kind: String, _ directory: String) throws(ImageError) {
    try supplement.settle()
    let id = SHA256.digest(of: Array((kind + ids.map { " \($0.hex)" }.joined()).utf8))
    var gaps = LayerGaps()
    gaps.directories = supplement.implicit.sorted { $0.lexicographicallyPrecedes($1) }
    let root = try kernel("open \(supplement.tree)") { () throws(Errno) in
      SharedDescriptor(try openFile(supplement.tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    }
    supplements.append(Supplement(id: id, directory: directory, entries: supplement.entries, gaps: gaps))
    push(id, root, gaps)
  }

  /// Puts a supplement on top with the directories that are seen as some layer made them for want of an entry, though a
  /// lower one has an entry.
  private mutating func adoptDirectories() throws(ImageError) {
    guard roots.count > 1 else { return }
    let tree = MergedTree(layers: roots, effort: effort)
    let implicit = implicit
    let wanted = DirectoryNames(implicit.flatMap { $0 })
    var adopted: [(path: [UInt8], layer: Int)] = []
    var known: Set<[UInt8]> = []
    /// Whose facts each directory on the way shows: that of the layer that has an entry for it, else the uppermost.
    func visit(_ node: DirectoryNames.Node, _ directory: MergedTree.Directory, _ above: [(path: [UInt8], layer: Int)])
      throws(ImageError)
    {
      var way = above
      if !directory.path.isEmpty {
        let holders = directory.parts + directory.hidden
        let speaking = holders.first { !implicit[$0].contains(directory.path) } ?? holders[0]
        way.append((directory.path, speaking))
        if speaking != holders[0] {
          for step in way where known.insert(step.path).inserted { adopted.append(step) }
        }
        // What only one layer has, no other can say anything about.
        if holders.count == 1 { return }
      }
      for (name, child) in node.children {
        if case .directory(let next) = try tree.look(name, in: directory) { try visit(child, next, way) }
      }
    }
    try visit(wanted.root, tree.root, [])
    guard !adopted.isEmpty else { return }
    let room = try makeRoom()
    var supplement = try StackSupplement(in: room, effort)
    for (path, layer) in adopted {
      guard let opened = try tree.open(path, layer) else { throw .invalid("a directory of a layer is gone") }
      let facts = try kernel("look at a directory") { () throws(Errno) in
        try StackSupplement.Facts(of: opened.rawValue, overlay: false)
      }
      withExtendedLifetime(opened) {}
      try supplement.makeDirectory(path, like: facts)
    }
    try finish(supplement, "directories", room)
  }
}

/// Paths as a tree of names, in order.
struct DirectoryNames {
  final class Node {
    fileprivate(set) var children: [(name: [UInt8], node: Node)] = []
  }

  let root = Node()

  init(_ paths: [[UInt8]]) {
    // In order, so that the way to a path is that of the path before it as far as they agree.
    var way: [(name: [UInt8], node: Node)] = []
    for path in paths.map({ $0.pathComponents.map { Array($0) } }).sorted(by: DirectoryNames.precedes) {
      let shared = zip(way, path).prefix { $0.0.name == $0.1 }.count
      way.removeSubrange(shared...)
      for name in path[shared...] {
        let node = Node()
        (way.last?.node ?? root).children.append((name, node))
        way.append((name, node))
      }
    }
  }

  private static func precedes(_ one: [[UInt8]], _ other: [[UInt8]]) -> Bool {
    one.lexicographicallyPrecedes(other) { $0.lexicographicallyPrecedes($1) }
  }
}
