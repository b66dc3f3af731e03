import Glibc
import LinuxKernel

/// A directory in which nobody else has a say: neither in what is there under a name, nor in what its own name means.
///
/// What lies in a work or run directory is believed, and removed, with all rights that the executor has: journals, sockets
/// of container-init, the program that containers run. Below `/tmp` such a directory may be made by anybody, once a cleaner
/// of temporary files has removed ours: so whoever lives long asks again before using one by its name.
package enum TrustedDirectory {
  /// Judges a path as it is given and as far as it is there. Every directory and every link on the way is root's or this
  /// user's. A directory can be written to by its owner alone, or is sticky, which the last one may not be.
  ///
  /// - Returns: The path without links, `.`, `..` and doubled slashes; a relative one as it is.
  @discardableResult
  package static func check(_ path: String) throws(ExecutorFailure) -> String { try walk(path).path }

  private static func walk(_ path: String) throws(ExecutorFailure) -> (path: String, isThere: Bool) {
    guard path.utf8.first == UInt8(ascii: "/") else { return (path, false) }
    var rest = Array(path.utf8).pathComponents[...]
    var place: [UInt8] = []
    var links = 0
    var about = try look([])
    try judge([], about)
    while let name = rest.popFirst() {
      if name == Array("..".utf8) {
        // There are no links in it any more.
        place = Array(place[..<(place.lastIndex(of: UInt8(ascii: "/")) ?? 0)])
        about = try look(place)
        continue
      }
      let next = place + [UInt8(ascii: "/")] + name
      guard let found = try look(next) else {
        let made = String(decoding: Array(([next] + rest).joined(separator: [UInt8(ascii: "/")])), as: UTF8.self)
        return rest.contains(Array("..".utf8)) ? try walk(made.cleanedAbsolutePath) : (made, false)
      }
      try judge(next, found)
      guard found.isSymbolicLink else {
        (place, about) = (next, found)
        continue
      }
      links += 1
      let target = try follow(next, links)
      if target.first == UInt8(ascii: "/") { place = [] }
      rest = target.pathComponents + rest
    }
    if let about { try judge(place, about, isLast: true) }
    return (place.isEmpty ? "/" : String(decoding: place, as: UTF8.self), true)
  }

  /// Makes a directory with those above it that are missing, where nobody else has a say.
  ///
  /// - Parameter option: by which another place can be chosen.
  package static func make(_ path: String, mode: UInt32, option: String) throws(ExecutorFailure) {
    guard try !walk(path).isThere else { return }
    do throws(Errno) { try makeDirectories(path, mode: mode) } catch {
      throw ExecutorFailure(
        .cannotCreate, "cannot make \(printable(path.utf8)): \(error)",
        hint: error.code == EACCES || error.code == EROFS ? "choose another place with \(option)" : nil)
    }
    // Somebody may have come first.
    try check(path)
  }

  /// For what is done by name long after the command line was read.
  package static func require(_ path: String) throws(Errno) {
    do throws(ExecutorFailure) { try check(path) } catch { throw Errno("openat", code: EPERM) }
  }

  private static func shown(_ place: [UInt8]) -> String { place.isEmpty ? "/" : printable(place) }

  /// `nil` where there is nothing.
  private static func look(_ place: [UInt8]) throws(ExecutorFailure) -> FileStatus? {
    do throws(Errno) { return try status(of: place.isEmpty ? Array("/".utf8) : place) } catch {
      if error.code == ENOENT { return nil }
      throw ExecutorFailure(
        error.code == EACCES ? .needsPrivileges : .cannotCreate, "cannot look at \(shown(place)): \(error)")
    }
  }

  private static func follow(_ link: [UInt8], _ links: Int) throws(ExecutorFailure) -> [UInt8] {
    do throws(Errno) {
      // As many as the kernel follows (path_resolution(7)).
      guard links <= 40 else { throw Errno("openat", code: ELOOP) }
      return try readSymbolicLink(link)
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot follow \(shown(link)): \(error)")
    }
  }

  private static func judge(_ place: [UInt8], _ about: FileStatus?, isLast: Bool = false) throws(ExecutorFailure) {
    guard let about else { return }
    let own = CurrentProcess.effectiveUser
    let isOwn = about.uid == own || about.uid == 0
    guard about.isDirectory || about.isSymbolicLink else {
      throw ExecutorFailure(.cannotCreate, "\(shown(place)) is no directory")
    }
    let why: String
    if !isOwn && (isLast || !isNobodyHere(about.uid)) {
      why = "is of uid \(about.uid)"
    } else if about.isDirectory, isOpen(about), isLast || !isOwn || about.permissions & 0o1000 == 0 {
      why = "can be written to by others (mode \(String(about.permissions, radix: 8)))"
    } else {
      return
    }
    throw ExecutorFailure(
      .needsPrivileges, "\(shown(place)) \(why): others would have a say in what is found there",
      hint: "choose places for --work-dir and --run-dir that nobody else can change, such as "
        + "\(Defaults.workDirectory) and \(Defaults.runDirectory)")
  }

  /// Whether others than the owner may write there. Where access control lists let somebody, the kernel shows it as the group's
  /// (acl(5)). A group of one's own is trusted by nobody but the user who is in it.
  private static func isOpen(_ about: FileStatus) -> Bool {
    let own = CurrentProcess.effectiveUser
    return about.permissions & (own != 0 && about.gid == CurrentProcess.effectiveGroup ? 0o002 : 0o022) != 0
  }

  /// Whether the kernel shows users that this namespace has no number for by this one (user_namespaces(7)): root of the
  /// host among them.
  private static func isNobodyHere(_ user: UInt32) -> Bool {
    guard let shown = try? readFile("/proc/sys/kernel/overflowuid"), let map = try? readFile("/proc/self/uid_map")
    else { return false }
    return Array("\(user)\n".utf8) == shown && !IDMap(map).has(user)
  }
}
