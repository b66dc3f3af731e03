import LinuxKernel

/// What a path of the host that a document names is, once the kernel has followed its links.
package enum ResolvedPath: Equatable {
  /// Without links, and nobody but root can make something else of it.
  case path([UInt8])
  /// Why it cannot be judged.
  case unclear(String)
}

/// Follows a path on this host.
package enum HostPathResolver {
  package static func resolve(_ path: String) -> ResolvedPath {
    guard path.utf8.first == UInt8(ascii: "/") else { return .unclear("it is not an absolute path") }
    let real: [UInt8]
    do throws(Errno) { real = try realPath(path) } catch {
      return .unclear("it cannot be resolved: \(error.explanation)")
    }
    do throws(Errno) {
      if let open = try swappable(real) {
        return .unclear("it leads to \(printable(real)), and \(open) is not root's alone: what is there can be swapped")
      }
    } catch {
      return .unclear("it leads to \(printable(real)), which cannot be looked at: \(error.explanation)")
    }
    return .path(real)
  }

  /// The directory on the way in which somebody besides root could put something else in the place of what was judged: the
  /// mount is made later, and in Docker by an engine that looks the path up anew.
  private static func swappable(_ path: [UInt8]) throws(Errno) -> String? {
    var place: [UInt8] = []
    let root = try status(of: "/")
    var directory = (about: root, name: "/")
    for component in path.pathComponents {
      place += [UInt8(ascii: "/")] + component
      let next = try status(of: place)
      let isSticky = directory.about.permissions & 0o1000 != 0
      let isShared = directory.about.permissions & 0o022 != 0
      // In a sticky directory an entry is its owner's, and the directory's.
      guard directory.about.uid == 0, !isShared || (isSticky && next.uid == 0) else { return directory.name }
      directory = (next, printable(place))
    }
    return nil
  }
}

/// The same, where one path is one answer however often it is asked: what is mounted is what was judged.
package final class HostPathCache {
  private var known: [[UInt8]: ResolvedPath] = [:]

  package init() {}

  package func resolve(_ path: String) -> ResolvedPath {
    let bytes = Array(path.utf8)
    if let found = known[bytes] { return found }
    let found = HostPathResolver.resolve(path)
    known[bytes] = found
    return found
  }
}

extension Array where Element == UInt8 {
  /// Whether it is `other` or below it, component by component.
  package func isBelow(_ other: [UInt8]) -> Bool { pathComponents.starts(with: other.pathComponents) }
}
