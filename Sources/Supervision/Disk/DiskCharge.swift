import DiskUsage
import LinuxKernel

/// What is charged to a task's disk, with its limit: a project quota of the kernel's.
protocol DiskCharge {
  var project: UInt32 { get }
  /// Bytes: above the first the task ends, more than the second cannot be written.
  var limit: UInt64 { get }
  var hardLimit: UInt64 { get }
  /// The file system that keeps the account.
  var device: UInt64 { get }
  /// Whether what is charged is what the task has written; see `DiskQuota.isExact`.
  var isExact: Bool { get }
  func usage() throws(Errno) -> ProjectQuota.Usage
  /// For final processes.
  func loosen() throws(Errno)
}

extension DiskQuota: DiskCharge {}
