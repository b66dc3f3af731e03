import DiskUsage
import Glibc
import LinuxKernel

/// What an engine gives a container beside its writable layer, and takes away with it: `/etc/hosts`, `hostname` and `resolv.conf`,
/// and volumes without a name, which an image asks for by `VOLUME` alone. They are on the host and a task can fill them, so they
/// count as what it writes.
///
/// Found by the mounts of a process of the container, so that the engine need not be asked, and need not be there.
enum EngineFiles {
  private static let names = ["hosts", "hostname", "resolv.conf"].map { Array($0.utf8) }
  private static let volume = Array("_data".utf8)

  /// Mount points and ids of those mounts (`/proc/PID/mountinfo`, proc(5)). The engine has the files in a directory that is
  /// called as the container is; one that shares another container's network has that one's. What it makes up as the name of a
  /// volume looks the same.
  static func places(mountinfo: [UInt8]) -> [(place: [UInt8], id: UInt64)] {
    mountinfo.split(separator: UInt8(ascii: "\n")).compactMap { line in
      // ID, parent, device, root, mount point, …
      let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
      guard fields.count == 6, let id = UInt64(String(decoding: fields[0], as: UTF8.self)) else { return nil }
      let source = MountEntry.unescaped(fields[3]).pathComponents
      guard let name = source.last, names.contains(name) || name == volume, isID(source.dropLast().last) else {
        return nil
      }
      return (MountEntry.unescaped(fields[4]), id)
    }
  }

  private static func isID(_ name: [UInt8]?) -> Bool {
    guard let name else { return false }
    return name.count == 64 && name.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  /// All of it, as a process of the container has them.
  static func of(_ pid: Int32, mountinfo: [UInt8]) -> [DiskTree.Root] {
    guard let root = try? openFile("/proc/\(pid)/root", O_PATH | O_DIRECTORY) else { return [] }
    return places(mountinfo: mountinfo).compactMap { place, id in
      guard let file = try? openBelow(root.rawValue, place, O_PATH, resolve: [.inRoot, .noSymlinks]),
        let about = try? status(of: file.rawValue), about.mountID == id, about.isRegularFile || about.isDirectory
      else { return nil }
      return DiskTree.Root(label: printable(place), directory: SharedDescriptor(file))
    }
  }
}
