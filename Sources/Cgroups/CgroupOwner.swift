import Glibc
import LinuxKernel

/// Whose the cgroups of a container are. The work directories of a host share its hierarchies, where a task has no more than
/// its id: so the work directory is written onto each cgroup that is made, and what is another's is neither ended nor removed.
///
///     <mount>/aurora-executor/<container>     trusted.aurora-executor: <major>:<minor>:<inode> of <work-dir>/tasks
///
/// A directory keeps these when it is moved, and under every path that leads to it.
package struct CgroupOwner: Sendable {
  private static let name = "trusted.aurora-executor"
  /// More than any mark has; what is longer is nobody's whom we know.
  private static let limit = 256

  private let value: Result<[UInt8], Errno>

  /// - Parameter tasks: the directory of a work directory's tasks. While it is not there it has no marked cgroups.
  package init(tasks: String) {
    value = Result { () throws(Errno) in
      Array(try status(of: tasks, followLinks: true).identity.utf8)
    }
  }

  /// Writes it onto a new cgroup. One of a kernel or a user namespace that allows no such attribute stays without.
  package func mark(_ cgroup: CgroupDirectory) throws(Errno) {
    let value = try value.get()
    do throws(Errno) {
      try setAttribute(CgroupOwner.name, value, of: cgroup.path)
    } catch  where error.code == EOPNOTSUPP || error.code == EPERM {}
  }

  /// A container's cgroups that are there: those that may be ended and removed, and those that say that they are another's.
  package func judge(_ cgroups: [CgroupDirectory]) -> (own: [CgroupDirectory], others: [CgroupDirectory]) {
    let judged = cgroups.map { ($0, ownership($0)) }
    let others = judged.filter { $0.1 == .others }.map(\.0)
    // Somebody who is making his own has marked some and is about to mark the next.
    let own = judged.filter { $0.1 == .own || ($0.1 == .unmarked && others.isEmpty) }.map(\.0)
    return (own, others)
  }

  /// Whether one of them says that it is this owner's.
  package func isMarked(anyOf cgroups: [CgroupDirectory]) -> Bool { cgroups.contains(where: isMarked) }

  package func isMarked(_ cgroup: CgroupDirectory) -> Bool { ownership(cgroup) == .own }

  package func isOthers(_ cgroup: CgroupDirectory) -> Bool { ownership(cgroup) == .others }

  /// The numbers of the directory whose a cgroup says that it is; empty where it says no such thing.
  package func mark(of cgroup: CgroupDirectory) -> [String] {
    guard let mark = (try? read(cgroup)).flatMap({ $0 }) else { return [] }
    return mark.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map { printable($0) }
  }

  private enum Ownership {
    case own, others, absent
    /// Made by an executor that wrote no mark, or where none can be written: the name is all there is to go by.
    case unmarked
  }

  private func ownership(_ cgroup: CgroupDirectory) -> Ownership {
    do throws(Errno) {
      guard let found = try read(cgroup) else { return .unmarked }
      return found == (try? value.get()) ? .own : .others
    } catch {
      // What cannot be read may say anything.
      return error.code == ENOENT ? .absent : .others
    }
  }

  private func read(_ cgroup: CgroupDirectory) throws(Errno) -> [UInt8]? {
    try attribute(CgroupOwner.name, of: cgroup.path, limit: CgroupOwner.limit)
  }
}
