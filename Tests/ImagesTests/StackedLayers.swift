import Glibc
import LinuxKernel
import Testing

@testable import Images

/// Layers of an image, unpacked, completed, and seen as one tree.
struct StackedLayers {
  let stack: LayerStack
  let tree: MergedTree
  /// The trees of what is stacked, lowest first.
  let roots: [String]

  /// - Parameter fills: what each layer's archive has, lowest first.
  init(_ fills: [(inout TarBuilder) -> Void], in scratch: Scratch, _ effort: StackEffort) throws {
    var layers: [LayerStack.Layer] = []
    for (index, fill) in fills.enumerated() {
      var tar = TarBuilder()
      fill(&tar)
      let directory = try scratch.directory("layer\(index)-\(Clock.now)")
      let file = try openFile(try scratch.write("layer\(index).tar", tar.finished), O_RDONLY)
      let tree = directory + "/fs"
      try makeDirectory(tree, mode: 0o755)
      let stream = try ByteStream(file.rawValue, .everything, hashing: true, limit: .max)
      var unpacker = LayerUnpacker(stream, into: try openFile(tree, O_RDONLY | O_DIRECTORY), budgets: Budgets())
      let report = try unpacker.run()
      // Through the pipe, as from a worker.
      var wire = WireWriter()
      report.write(to: &wire)
      var reader = WireReader(wire.bytes)
      let received = try LayerReport(from: &reader)
      #expect(received.gaps == report.gaps)
      try DisplacedTrees.take(received.gaps, of: directory)
      layers.append(
        LayerStack.Layer(id: received.diffID, tree: tree, gaps: received.gaps, place: "layer \(index + 1)"))
    }
    var stack = LayerStack(effort) { () throws(ImageError) in
      let path = scratch.path + "/room\(Clock.now)"
      try kernel("make it") { () throws(Errno) in try makeDirectory(path, mode: 0o700) }
      return path
    }
    try stack.run(layers)
    let paths = stack.ids.map { id in
      layers.first { $0.id == id }?.tree ?? (stack.supplements.first { $0.id == id }?.directory ?? "") + "/fs"
    }
    let roots = try paths.map { SharedDescriptor(try openFile($0, O_RDONLY | O_DIRECTORY)) }
    self.stack = stack
    self.roots = paths
    tree = MergedTree(layers: roots, effort: effort)
  }

  /// What is seen at a path, links not followed.
  func seen(_ path: String) throws -> FileStatus? {
    let (parent, name) = StackSupplement.split(Array(path.utf8))
    guard let directory = try tree.directory(parent) else { return nil }
    switch try tree.look(name, in: directory) {
    case .nothing: return nil
    case .other(let status, _): return status
    case .directory(let found):
      let top = try #require(try tree.open(found.path, found.parts[0]))
      return try status(of: top.rawValue)
    }
  }

  /// A file's content, or where a link leads.
  func text(_ path: String) throws -> String? {
    let (parent, name) = StackSupplement.split(Array(path.utf8))
    guard let directory = try tree.directory(parent),
      case .other(let status, let layer) = try tree.look(name, in: directory)
    else { return nil }
    let holder = try #require(try tree.open(parent, layer))
    if status.isSymbolicLink {
      return "-> " + String(decoding: try readSymbolicLink(name, at: holder.rawValue), as: UTF8.self)
    }
    let file = try openFile(name, O_RDONLY | O_NOFOLLOW, at: holder.rawValue)
    return String(decoding: try file.read(upTo: 100) ?? [], as: UTF8.self)
  }
}
