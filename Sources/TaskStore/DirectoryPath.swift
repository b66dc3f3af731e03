import Glibc
import LinuxKernel

/// One spelling for every directory that a command line names.
///
/// Work and run directory stand in labels of containers, in links and in mounts, where they are compared as text: a
/// doubled slash or a link on the way would make two directories of one.
package enum DirectoryPath {
  /// An absolute path without links, `.`, `..` and doubled slashes, as far as what it names is there; the rest as it will
  /// be made. A relative path stays as it is.
  package static func resolved(_ path: String) -> String {
    guard path.utf8.first == UInt8(ascii: "/") else { return path }
    var found: [UInt8] = []
    for component in Array(path.utf8).pathComponents {
      if component == Array("..".utf8) {
        // What is found so far has no links any more: its parent is where `..` leads.
        found = Array(found[..<(found.lastIndex(of: UInt8(ascii: "/")) ?? 0)])
        continue
      }
      let next = found + [UInt8(ascii: "/")] + component
      // What is not there, or not to be seen, keeps its name.
      let real = (try? realPath(next)) ?? next
      found = real == [UInt8(ascii: "/")] ? [] : real
    }
    return found.isEmpty ? "/" : String(validating: found, as: UTF8.self) ?? path
  }
}

extension DirectoryPath {
  /// A path that means the same in another working directory.
  package static func absolute(_ path: String) -> String {
    guard path.utf8.first != UInt8(ascii: "/"), let own = try? realPath(Array(".".utf8)),
      let directory = String(validating: own, as: UTF8.self)
    else { return path }
    return directory + "/" + path
  }

  /// Whether a path is a directory or lies in it: by what they are, where they are there, since a mount gives one directory two
  /// names; by name where one is still to be made. Both are resolved.
  package static func isWithin(_ path: String, _ directory: String) -> Bool {
    let other = try? status(of: directory)
    var current = Array(path.utf8)
    while true {
      let name = current.isEmpty ? Array("/".utf8) : current
      if name.elementsEqual(directory.utf8) { return true }
      if let other, let about = try? status(of: name), about.inode == other.inode, about.device == other.device {
        return true
      }
      guard let slash = current.lastIndex(of: UInt8(ascii: "/")) else { return false }
      current = Array(current[..<slash])
    }
  }
}
