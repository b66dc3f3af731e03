import Glibc
import LinuxKernel

/// Stops a worker before it takes the file system's last room.
package final class SpaceGuard {
  private let reserve: UInt64
  private let descriptor: Int32
  private var next: UInt64 = 0

  /// - Parameter descriptor: a file or a directory of the file system; a pipe has none, and no end.
  package init(of descriptor: Int32, reserve: UInt64) {
    self.descriptor = descriptor
    self.reserve = reserve
  }

  package func check(_ received: UInt64) throws(ImageError) {
    guard received >= next else { return }
    next = received + (32 << 20)
    let room = try kernel("look for free space") { () throws(Errno) in try space(of: descriptor) }
    guard room.available >= min(reserve, room.total / 20) else {
      throw ImageError(
        .exhausted, why: "only \(room.available >> 20) MiB are free where images are stored",
        hint: "make room, or name another --work-dir")
    }
  }
}
