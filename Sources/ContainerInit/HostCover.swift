import Glibc
import LinuxKernel

/// Mount points on the host's file system that do not exist there.
///
/// A task on the host's file system may name a volume at `/data` where the host has no such directory, and nothing may
/// be created on the host. The nearest existing directory is covered, in this mount namespace only, by a small tmpfs
/// that shows the same entries, each a mount of the original, and has room for the new one.
enum HostCover {
  /// The directory at `path`, made in a cover of its nearest existing ancestor.
  static func makeDirectory(_ path: String, below root: borrowing FileDescriptor) throws(SetupError) -> FileDescriptor {
    let components = Array(path.utf8).pathComponents
    guard !components.contains(Array("..".utf8)) else { throw SetupError("\(path): \"..\" is not allowed here") }
    do throws(Errno) {
      var existing = 0
      while existing < components.count,
        (try? openFile(absolute(components[...existing]), O_PATH | O_DIRECTORY)) != nil
      {
        existing += 1
      }
      let ancestor = absolute(components[..<existing])
      try cover(ancestor)
      for end in existing..<components.count {
        try LinuxKernel.makeDirectory(absolute(components[...end]), mode: 0o755)
      }
      return try openFile(absolute(components[...]), O_PATH | O_DIRECTORY)
    } catch {
      throw SetupError("make a place for \(path) on the host's file system", error)
    }
  }

  private static func absolute(_ components: ArraySlice<[UInt8]>) -> [UInt8] {
    [UInt8(ascii: "/")] + Array(components.joined(separator: [UInt8(ascii: "/")]))
  }

  private static func cover(_ directory: [UInt8]) throws(Errno) {
    let original = try openFile(directory, O_RDONLY | O_DIRECTORY)
    let about = try status(of: original.rawValue)
    let context = try FileSystemContext("tmpfs")
    try context.set("mode", String(about.permissions, radix: 8))
    let tmpfs = try context.mount([.noSetuid, .noDevices])
    try changeOwner(of: tmpfs.rawValue, uid: about.uid, gid: about.gid)

    // Copies of the originals are taken before anything is covered.
    var copies: [(name: [UInt8], mount: SharedDescriptor, isDirectory: Bool)] = []
    for entry in try entries(of: original.rawValue) {
      // What vanishes meanwhile is not missed.
      guard let about = try? status(of: entry.name, at: original.rawValue) else { continue }
      if about.isSymbolicLink {
        let content = try readSymbolicLink(entry.name, at: original.rawValue)
        try makeSymbolicLink(entry.name, to: content, at: tmpfs.rawValue)
        continue
      }
      let copy = try cloneMount(entry.name, at: original.rawValue, recursive: true)
      copies.append((entry.name, SharedDescriptor(copy), about.isDirectory))
    }

    let coversRoot = directory == [UInt8(ascii: "/")]
    // A new root has to be mounted somewhere before it can become the root; /proc is there on every host.
    let place = try openFile(coversRoot ? Array("/proc".utf8) : directory, O_PATH | O_DIRECTORY)
    try attach(tmpfs, onto: place)
    for copy in copies {
      if copy.isDirectory {
        try LinuxKernel.makeDirectory(copy.name, mode: 0o755, at: tmpfs.rawValue)
      } else {
        try openFile(copy.name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644, at: tmpfs.rawValue).close()
      }
      let target = try openFile(copy.name, O_PATH | O_NOFOLLOW, at: tmpfs.rawValue)
      try attach(copy.mount.descriptor, onto: target)
    }
    if coversRoot { try pivotRoot(into: tmpfs) }
  }
}
