import LinuxKernel

/// What is mounted on this host (`/proc/self/mountinfo`, proc(5)).
package enum HostMounts {
  /// Something that is mounted below a directory, for people.
  package static func below(_ path: [UInt8]) -> String? {
    guard let mounts = try? readFile("/proc/self/mountinfo", limit: 64 << 20) else { return "what cannot be listed" }
    return below(path, mountinfo: mounts)
  }

  package static func below(_ path: [UInt8], mountinfo: [UInt8]) -> String? {
    for line in mountinfo.split(separator: UInt8(ascii: "\n")) {
      // ID, parent, device, root, mount point, …
      let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
      guard fields.count == 6, case let place = MountEntry.unescaped(fields[4]), place.isBelow(path),
        place.pathComponents.count > path.pathComponents.count
      else { continue }
      return printable(place)
    }
    return nil
  }
}
