import Containers
import DiskUsage
import Isolators
import LinuxKernel
import TaskModel
import TaskStore

/// The limit of a task's disk: whether it has one, and how it is held to it.
enum DiskLimit {
  /// In bytes; `nil` when the task has none, or `--isolation` leaves `disk/du` out.
  static func bytes(_ task: TaskSpecification, _ settings: RunSettings) -> UInt64? {
    guard let limit = task.resources?.disk, limit > 0, settings.isolation.contains(DiskUsageLimit.name) else {
      return nil
    }
    return UInt64(limit)
  }

  /// What holds the task to it: the quota where it has one, else measuring.
  ///
  /// - Parameters:
  ///   - standstill: is told when the task is stopped so that it can be measured.
  ///   - isNew: whether nothing of the task has run.
  static func monitor(
    _ task: TaskSpecification, _ settings: RunSettings, _ quota: DiskQuota?, _ paths: TaskPaths,
    _ container: any Container, _ standstill: Standstill, isNew: Bool, warn: @escaping (String) -> Void
  ) throws(Errno) -> (any TaskMonitor)? {
    guard let limit = bytes(task, settings) else { return nil }
    guard let quota else {
      return try DiskMonitor(
        limit: limit, try DiskScale(paths, container), container, standstill, isNew: isNew, warn: warn)
    }
    let scale = try DiskScale(paths, container, counting: quota.isExact ? .blocks : .content)
    return try QuotaMonitor(
      quota, scale, container, isNew: isNew, chargesLogs: quota.charges(paths.logs), warn: warn)
  }
}
