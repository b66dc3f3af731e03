import Glibc
import LinuxKernel

/// A root of image layers with a private writable directory on top (overlayfs).
enum OverlayRoot {
  /// Mounts the layers, lowest first, attached over the directory that holds `upper`, which is ours and private.
  ///
  /// `userxattr`: opaque directories are marked in `user.overlay.*`, so that unpacking a layer needs no CAP_SYS_ADMIN.
  ///
  /// `volatile`: the writable layer goes with the task, so nothing in it has to outlive the host. Without that option the end
  /// of every container, and each syncfs(2) in one, waits until all that anybody has written to the layer's file system is on
  /// the disk.
  static func mount(layers: [String], upper: String, work: String) throws(Errno) -> FileDescriptor {
    do throws(Errno) {
      return try mount(layers: layers, upper: upper, work: work, isVolatile: true)
    } catch  where error.code == EIO {
      // Something that anybody wrote there was lost, and nobody has been told. Syncing tells us, and then it is known.
      let place = try openFile(parent(of: upper), O_RDONLY | O_DIRECTORY)
      try? synchronizeFileSystem(of: place.rawValue)
    }
    do throws(Errno) {
      return try mount(layers: layers, upper: upper, work: work, isVolatile: true)
    } catch  where error.code == EIO {
      return try mount(layers: layers, upper: upper, work: work, isVolatile: false)
    }
  }

  private static func mount(layers: [String], upper: String, work: String, isVolatile: Bool) throws(Errno)
    -> FileDescriptor
  {
    let options = isVolatile ? ["userxattr", "volatile"] : ["userxattr"]
    // Before Linux 6.5 options are only looked at when the file system is made.
    do throws(Errno) {
      return try mountByLayer(layers: layers, upper: upper, work: work, options)
    } catch  where error.code == EINVAL {
      return try mountClassically(layers: layers, upper: upper, work: work, options)
    }
  }

  private static func mountByLayer(layers: [String], upper: String, work: String, _ options: [String]) throws(Errno)
    -> FileDescriptor
  {
    let place = try openFile(parent(of: upper), O_PATH | O_DIRECTORY)
    let context = try FileSystemContext("overlay")
    for layer in layers.reversed() { try context.set("lowerdir+", layer) }
    try context.set("upperdir", upper)
    try context.set("workdir", work)
    for option in options { try context.set(flag: option) }
    let mount = try context.mount([.noSetuid, .noDevices])
    try attach(mount, onto: place)
    return mount
  }

  /// Before Linux 6.5 all layers go into one option string of at most a page. Names relative to the layers' common
  /// directory keep it short: about sixty layers fit.
  private static func mountClassically(
    layers: [String], upper: String, work: String, _ options: [String]
  ) throws(Errno) -> FileDescriptor {
    let common = layers.map { Array(parent(of: $0).utf8) }.reduce(nil as [UInt8]?) { common, path in
      guard let common else { return path }
      let shared = zip(common, path).prefix { $0 == $1 }.count
      return Array(common[..<(common[..<shared].lastIndex(of: UInt8(ascii: "/")) ?? 0)])
    }
    let base = String(decoding: common ?? [], as: UTF8.self)
    try enterDirectory(base.isEmpty ? "/" : base)
    let lower = layers.reversed().map { String($0.dropFirst(base.count + 1)) }.joined(separator: ":")
    let data = "lowerdir=\(lower),upperdir=\(upper),workdir=\(work),\(options.joined(separator: ","))"
    try mountClassic(
      source: "overlay", target: parent(of: upper), type: "overlay", flags: UInt(MS_NOSUID) | UInt(MS_NODEV), data: data
    )
    try enterDirectory("/")
    return try openFile(parent(of: upper), O_PATH | O_DIRECTORY)
  }

  private static func parent(of path: String) -> String {
    let bytes = Array(path.utf8)
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")), slash > 0 else { return "/" }
    return String(decoding: bytes[..<slash], as: UTF8.self)
  }
}
