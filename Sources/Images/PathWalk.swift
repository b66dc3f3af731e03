import Glibc
import LinuxKernel

/// A path on its way from a root, name by name, as the kernel resolves one that stays in that root: `..` stops there, and so do
/// absolute symbolic links. Whoever walks looks up each name, and says what is there.
struct PathWalk {
  /// Where the walk is: a path without links, without slashes around it; empty at the root.
  private(set) var place: [UInt8] = []
  private var depth = 0
  /// Names that are still to come, the next one last.
  private var waiting: [ArraySlice<UInt8>]
  private var links = 0

  private static let slash = UInt8(ascii: "/")
  /// As many as the kernel follows.
  private static let mostLinks = 40
  private static let mostDepth = Budgets().depth

  init(_ path: ArraySlice<UInt8>) { waiting = path.split(separator: PathWalk.slash).reversed() }

  /// The next name, to be looked up in `place`; `nil` at the end.
  mutating func next() throws(ImageError) -> [UInt8]? {
    while let name = waiting.popLast() {
      if name.elementsEqual(".".utf8) { continue }
      if name.elementsEqual("..".utf8) {
        place.removeSubrange((place.lastIndex(of: PathWalk.slash) ?? 0)...)
        depth = max(depth - 1, 0)
        continue
      }
      return Array(name)
    }
    return nil
  }

  /// The name is a directory.
  mutating func enter(_ name: [UInt8]) throws(ImageError) {
    depth += 1
    guard depth <= PathWalk.mostDepth, place.count + name.count < 4095 else {
      throw .invalid("symbolic links lead more than \(PathWalk.mostDepth) directories or 4095 bytes deep")
    }
    if !place.isEmpty { place.append(PathWalk.slash) }
    place += name
  }

  /// The name is a symbolic link to `target`.
  mutating func follow(_ target: [UInt8]) throws(ImageError) {
    links += 1
    guard links <= PathWalk.mostLinks else { throw .invalid("symbolic links lead nowhere") }
    if target.first == PathWalk.slash { (place, depth) = ([], 0) }
    waiting += target.split(separator: PathWalk.slash).reversed()
  }
}
