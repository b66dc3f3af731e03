import Glibc
import LinuxKernel

/// What a tree takes on the disk, as du(1) counts: allocated blocks, a file with several names once.
enum DiskUsage {
  /// `nil` when there are more entries than it is worth to look at, or something cannot be read.
  static func bytes(_ roots: [String], limit: Int = 200_000) -> UInt64? {
    var total: UInt64 = 0
    var seen: Set<UInt64> = []
    var pending: [SharedDescriptor] = []
    for root in roots {
      guard let directory = try? openFile(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { continue }
      pending.append(SharedDescriptor(directory))
    }
    var count = 0
    while let directory = pending.popLast() {
      defer { withExtendedLifetime(directory) {} }
      guard let entries = try? entries(of: directory.rawValue) else { return nil }
      for entry in entries {
        count += 1
        guard count <= limit else { return nil }
        guard let about = try? status(of: entry.name, at: directory.rawValue) else { continue }
        if about.links > 1, !about.isDirectory, !seen.insert(about.inode).inserted { continue }
        total += about.blocks * 512
        guard about.isDirectory else { continue }
        guard pending.count < 512 else { return nil }
        if let child = child(entry.name, of: directory.rawValue) { pending.append(child) }
      }
    }
    return total
  }

  private static func child(_ name: [UInt8], of directory: Int32) -> SharedDescriptor? {
    do throws(Errno) {
      return SharedDescriptor(
        try openBelow(
          directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: [.beneath, .noSymlinks, .noCrossMounts]))
    } catch {
      return nil
    }
  }
}
