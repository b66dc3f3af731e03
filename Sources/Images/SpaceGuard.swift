import Glibc
import LinuxKernel

/// Stops a layer before it takes the file system's last room.
final class SpaceGuard {
  private let reserve: UInt64
  private var next: UInt64 = 0

  init(reserve: UInt64) { self.reserve = reserve }

  func check(_ received: UInt64) throws(ImageError) {
    guard received >= next else { return }
    next = received + (32 << 20)
    let room = try kernel("look for free space") { () throws(Errno) in
      let root = try openFile("/", O_RDONLY | O_DIRECTORY)
      return try space(of: root.rawValue)
    }
    guard room.available >= min(reserve, room.total / 20) else {
      throw ImageError(
        .exhausted, why: "only \(room.available >> 20) MiB are free where images are stored",
        hint: "make room, or name another --work-dir")
    }
  }
}
