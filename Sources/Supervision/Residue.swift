import Cgroups
import LinuxKernel
import TaskStore

/// What of a container is still on the host after its task has ended: for `--assert-clean`.
enum Residue {
  /// Each thing by its path; empty when there is nothing.
  ///
  /// - Parameter hasRunDirectory: whether what has the name of its run directory is its own.
  static func of(_ paths: TaskPaths, hasRunDirectory: Bool) -> [String] {
    var found: [String] = []
    for path in [paths.rootfs, TaskDirectory.aside(paths)] + (hasRunDirectory ? [paths.run] : [])
    where (try? status(of: path)) != nil {
      found.append(path)
    }
    let hierarchies = bestEffort("look for cgroups left behind") { try CgroupHierarchies.discover() }
    let cgroups = (hierarchies?.mounts ?? []).map { CgroupDirectory("\($0)/aurora-executor/\(paths.taskID)") }
    found += CgroupOwner(tasks: TaskPaths.tasks(paths.workDirectory)).judge(cgroups).own.map(\.path)
    let own = [paths.task, paths.run].map { Array((" " + $0 + "/").utf8) }
    let mounts = bestEffort("look for mounts left behind") { try readFile("/proc/self/mountinfo", limit: 64 << 20) }
    for line in (mounts ?? []).split(separator: UInt8(ascii: "\n"))
    where own.contains(where: { line.contains(subsequence: $0) }) {
      found.append("mount " + printable(line))
    }
    return found
  }
}

extension Sequence<UInt8> {
  /// Whether the bytes occur in a row.
  fileprivate func contains(subsequence: [UInt8]) -> Bool {
    var all = Array(self)[...]
    while let start = all.firstIndex(of: subsequence[0]) {
      all = all[start...]
      if all.starts(with: subsequence) { return true }
      all = all.dropFirst()
    }
    return false
  }
}
