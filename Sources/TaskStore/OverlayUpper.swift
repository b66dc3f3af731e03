import LinuxKernel

/// Where the writable layer of a process' root file system is, as its mounts tell (`/proc/PID/mountinfo`, proc(5)). The
/// engine need not be asked, and it holds for every storage driver of overlays.
package enum OverlayUpper {
  /// The `upperdir` of the overlay that is mounted at `/`, in the words of whoever mounted it; `nil` when the root is none.
  package static func directory(mountinfo: [UInt8]) -> [UInt8]? {
    var found: [UInt8]?
    for line in mountinfo.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: " "))
      // ID, parent, device, root, mount point, options, any number of tags, -, type, source, options of the file system
      guard fields.count > 6, fields[4].elementsEqual("/".utf8),
        let dash = fields[6...].firstIndex(where: { $0.elementsEqual("-".utf8) }), dash + 3 < fields.count
      else { continue }
      // What was mounted last is on top.
      found = nil
      guard fields[dash + 1].elementsEqual("overlay".utf8) else { continue }
      let prefix = Array("upperdir=".utf8)
      for option in fields[dash + 3].split(separator: UInt8(ascii: ",")) where option.starts(with: prefix) {
        found = MountEntry.unescaped(option.dropFirst(prefix.count))
      }
    }
    // A relative one is relative to where the engine stood.
    return found?.first == UInt8(ascii: "/") ? found : nil
  }
}
