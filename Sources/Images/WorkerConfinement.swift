import Glibc
import LinuxKernel

/// How a worker shuts itself in before it looks at the first byte that somebody else wrote.
///
/// It was started in mount, pid, network and ipc namespaces of its own, with nothing open but what the job needs, and
/// with a signal that ends it when its parent ends. What remains, in this order, because each step needs what the next
/// ones take away:
///
/// 1. no core dump, and no other process may look into this one
/// 2. the root becomes the one directory that the job works in, mounted `nosuid,nodev`; the host's tree is let go
/// 3. memory, processor time, descriptors and file sizes are bounded
/// 4. every capability but the job's goes, also from the bounding set, and no `execve` can bring one back
/// 5. system calls that this work does not need are refused, so that less of the kernel can be attacked
enum WorkerConfinement {
  /// Shuts this process in. `root` is the number of a detached mount, which is closed.
  static func enter(root: Int32, keeping capabilities: Capabilities) throws(Errno) {
    try OwnLimit.coreSize.set(0)
    try Credentials.setDumpable(false)

    let mount = FileDescriptor(owning: root)
    // Private first: attaching below a shared mount would show on the host.
    try makeAllMountsPrivate(.private)
    // The copy, too: it was taken from a mount that most hosts share, and pivot_root(2) refuses a shared one.
    try setMountAttributes(mount.rawValue, propagation: .private, recursive: true)
    try attach(mount, onto: try openFile("/", O_RDONLY | O_DIRECTORY))
    try pivotRoot(into: mount)
    try mount.close()

    try OwnLimit.addressSpace.set(addressSpace)
    try OwnLimit.openFiles.set(64)
    try OwnLimit.processorSeconds.set(1200)
    try OwnLimit.fileSize.set(Budgets().unpackedBytes)
    try Credentials.limitBoundingSet(to: capabilities)
    try Credentials.setCapabilities(capabilities)
    try Credentials.setNoNewPrivileges()
    try SystemCallFilter.fileWork()
  }

  /// Room for the largest zstd window (128 MiB), names of directories, libraries, and a margin.
  private static let addressSpace: UInt64 = 768 << 20
}
