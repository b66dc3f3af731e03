/// What a layer leaves to the layers below it: its archive speaks of things in directories that it has no entry for, or of
/// files that it does not have. Which image the layer belongs to decides what they are.
struct LayerGaps: Sendable, Equatable {
  /// A second name for a file that only a layer below can have.
  struct Link: Sendable, Equatable {
    /// As in the archive, made relative to the root.
    let name: [UInt8]
    let target: [UInt8]
  }

  /// A file whose name may be that of a link's target, by a link of a lower layer, and how many of the links came before it:
  /// those mean another file.
  struct Later: Sendable, Equatable {
    let path: [UInt8]
    let links: UInt64
  }

  /// A directory without an entry in whose place something else came: where a lower layer has a link there, what was put into it
  /// stays where that leads. It is beside the layer's tree, by its number (`StorePaths.displacedName`).
  struct Displaced: Sendable, Equatable {
    /// It, first, and those in it that have no entry, by the paths that they had.
    let directories: [[UInt8]]
    /// How many of the links came before: those whose names were in it went the same way.
    let links: UInt64

    /// Whether a link of this number was in it.
    func had(_ link: Link, _ number: Int) -> Bool {
      guard UInt64(number) < links, let path = directories.first else { return false }
      return link.name.starts(with: path + [UInt8(ascii: "/")])
    }
  }

  /// An entry whose last name an earlier one had as well, and its place among all that make something (`NameOrder`).
  struct Again: Sendable, Equatable {
    let path: [UInt8]
    let order: UInt64
  }

  /// Directories that were made because something is in them. Paths in the layer, without links.
  var directories: [[UInt8]] = []
  var links: [Link] = []
  var later: [Later] = []
  var displaced: [Displaced] = []
  var again: [Again] = []

  var isEmpty: Bool { directories.isEmpty && links.isEmpty && displaced.isEmpty }

  init() {}

  func write(to wire: inout WireWriter) {
    wire.put(list: directories) { $0.put($1) }
    wire.put(list: links) { wire, link in
      wire.put(link.name)
      wire.put(link.target)
    }
    wire.put(list: later) { wire, item in
      wire.put(item.path)
      wire.put(item.links)
    }
    wire.put(list: displaced) { wire, item in
      wire.put(list: item.directories) { $0.put($1) }
      wire.put(item.links)
    }
    wire.put(list: again) { wire, item in
      wire.put(item.path)
      wire.put(item.order)
    }
  }

  /// Reads what a worker reports: each path goes down from the root, name by name.
  init(from wire: inout WireReader) throws(ImageError) {
    directories = try wire.list { (wire) throws(ImageError) in try LayerGaps.path(try wire.data()) }
    links = try wire.list { (wire) throws(ImageError) in
      Link(name: try LayerGaps.path(try wire.data()), target: try LayerGaps.path(try wire.data()))
    }
    // Of a layer that an older executor unpacked.
    if wire.isAtEnd { return }
    later = try wire.list { (wire) throws(ImageError) in
      Later(path: try LayerGaps.path(try wire.data()), links: try wire.number())
    }
    displaced = try wire.list { (wire) throws(ImageError) in
      Displaced(
        directories: try wire.list { (wire) throws(ImageError) in try LayerGaps.path(try wire.data()) },
        links: try wire.number())
    }
    if wire.isAtEnd { return }
    again = try wire.list { (wire) throws(ImageError) in
      Again(path: try LayerGaps.path(try wire.data()), order: try wire.number())
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
