/// What a layer leaves to the layers below it: its archive speaks of things in directories that it has no entry for, or of
/// files that it does not have. Which image the layer belongs to decides what they are.
struct LayerGaps: Sendable, Equatable {
  /// A second name for a file that only a layer below can have.
  struct Link: Sendable, Equatable {
    /// As in the archive, made relative to the root.
    let name: [UInt8]
    let target: [UInt8]
  }

  /// Directories that were made because something is in them. Paths in the layer, without links.
  var directories: [[UInt8]] = []
  var links: [Link] = []

  var isEmpty: Bool { directories.isEmpty && links.isEmpty }

  init() {}

  func write(to wire: inout WireWriter) {
    wire.put(list: directories) { $0.put($1) }
    wire.put(list: links) { wire, link in
      wire.put(link.name)
      wire.put(link.target)
    }
  }

  /// Reads what a worker reports: each path goes down from the root, name by name.
  init(from wire: inout WireReader) throws(ImageError) {
    directories = try wire.list { (wire) throws(ImageError) in try LayerGaps.path(try wire.data()) }
    links = try wire.list { (wire) throws(ImageError) in
      Link(name: try LayerGaps.path(try wire.data()), target: try LayerGaps.path(try wire.data()))
    }
  }

  private static func path(_ bytes: [UInt8]) throws(ImageError) -> [UInt8] {
    let checked = try LayerPath(bytes, budgets: Budgets())
    guard !checked.isRoot, checked.text.dropLast().elementsEqual(bytes) else {
      throw .invalid("the unpack worker sent a malformed report")
    }
    return bytes
  }
}
