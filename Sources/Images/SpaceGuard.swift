import Glibc
import LinuxKernel

/// Stops a worker before it takes the file system's last room, or its last inodes.
package final class SpaceGuard {
  private let reserve: UInt64
  private let descriptor: Int32
  private var next: UInt64 = 0

  /// How much is written between two looks, and less on a small file system: what is left there must be more than all who
  /// write at once, several layers of several pulls, put there meanwhile.
  private static let step: UInt64 = 4 << 20

  /// - Parameter descriptor: a file or a directory of the file system; a pipe has none, and no end.
  package init(of descriptor: Int32, reserve: UInt64) {
    self.descriptor = descriptor
    self.reserve = reserve
  }

  /// - Parameter written: what has been written so far, in bytes.
  package func check(_ written: UInt64) throws(ImageError) {
    guard written >= next else { return }
    let room = try kernel("look for free space") { () throws(Errno) in try space(of: descriptor) }
    // A file takes a block of the archive at least.
    let files = room.inodesTotal == 0 ? UInt64.max : max(room.inodesTotal / 64, 1024) * 512
    next = written + min(SpaceGuard.step, max(room.total / 64, 1 << 20), files)
    try SpaceGuard.require(room, reserve: reserve)
  }

  /// Throws when a file system has no room that may be taken.
  ///
  /// - Parameter reserve: bytes that stay free, a twentieth of a small file system.
  package static func require(_ room: FileSystemSpace, reserve: UInt64) throws(ImageError) {
    // Where inodes are made as they are needed there are none to run out of, and both numbers are 0.
    guard room.inodesFree >= room.inodesTotal / 20 else {
      throw ImageError(
        .exhausted, why: "only \(room.inodesFree) of \(room.inodesTotal) inodes are free where images are stored",
        hint: "remove files, or name another --work-dir")
    }
    guard room.available >= min(reserve, room.total / 20) else {
      throw ImageError(
        .exhausted, why: "only \(room.available >> 20) MiB are free where images are stored",
        hint: "make room, or name another --work-dir")
    }
  }
}
