import Glibc
import LaunchModel
import LinuxKernel

/// The root a container is being built in, held by descriptor. Every path in it belongs to an image and is hostile:
/// it is resolved below the descriptor and used by descriptor, never by name again.
///
/// Something is made in it only on file systems that this launch made: its overlay, its own tmpfs. A volume is somebody
/// else's, and so is the host's root; what is mounted there goes on what is there already.
final class RootDirectory {
  let descriptor: FileDescriptor
  /// The mounts of file systems that this launch made.
  private var ownMounts: [MountIdentity]

  /// A mount by its number and its file system's, as statx(2) tells of anything in it.
  private struct MountIdentity: Equatable {
    let mount: UInt64
    let device: UInt64
    init(_ about: FileStatus) {
      mount = about.mountID
      device = about.device
    }
  }

  /// - Parameter isOwn: whether this launch made the file system of the root itself.
  init(descriptor: consuming FileDescriptor, isOwn: Bool) throws(Errno) {
    let about = try status(of: descriptor.rawValue)
    self.descriptor = descriptor
    ownMounts = isOwn ? [MountIdentity(about)] : []
  }

  /// The same file systems, seen from the root that has become the process' own.
  init(pivotedFrom other: RootDirectory) throws(Errno) {
    descriptor = try openFile("/", O_PATH | O_DIRECTORY)
    ownMounts = other.ownMounts
  }

  /// Notes that a mount, attached or about to be, is of a file system that this launch made.
  func addOwn(_ mount: borrowing FileDescriptor) throws(Errno) {
    ownMounts.append(MountIdentity(try status(of: mount.rawValue)))
  }

  /// Refuses to make anything in a directory that is not this launch's.
  func requireOwn(_ directory: borrowing FileDescriptor, toMake path: String) throws(SetupError) {
    do throws(Errno) {
      if ownMounts.contains(MountIdentity(try status(of: directory.rawValue))) { return }
    } catch {
      throw refusal(path, error)
    }
    throw SetupError(
      "\(path) does not exist, and nothing is made for a container on the host's file system or in a volume (EROFS)",
      hint: "make it before the task starts, or choose a path below the sandbox")
  }

  /// A directory that must be there without any link on the way, so that an image cannot lead a mount of `/proc`,
  /// `/sys` or `/dev` elsewhere (CVE-2019-19921, CVE-2023-27561). Made when missing.
  func realDirectory(_ path: String) throws(SetupError) -> FileDescriptor {
    try directory(path, resolve: [.inRoot, .noSymlinks, .noMagicLinks])
  }

  /// A directory; links on the way are followed inside the root. Made, with its parents, when missing.
  func directory(_ path: String, mode: UInt32 = 0o755, resolve: Resolve = [.inRoot, .noMagicLinks])
    throws(SetupError) -> FileDescriptor
  {
    do throws(Errno) {
      return try openBelow(descriptor.rawValue, relative(path), O_PATH | O_DIRECTORY, resolve: resolve)
    } catch  where error.code == ENOENT {
      return try make(path, mode: mode, resolve: resolve)
    } catch {
      throw refusal(path, error)
    }
  }

  /// What a mount goes on: a directory for a directory, anything else for anything else. A link is followed inside the root,
  /// to the place it leads to, and is never replaced. Made when missing.
  func mountPoint(_ path: String, forDirectory: Bool) throws(SetupError) -> FileDescriptor {
    guard let found = try existing(path) else {
      // Links that lead to what is not there yet, as images have them for `/etc/resolv.conf`, say where it is to be made.
      let path = try danglingTarget(path)
      return forDirectory ? try make(path, mode: 0o755, resolve: [.inRoot, .noMagicLinks]) : try makeFile(path)
    }
    let isDirectory: Bool
    do throws(Errno) { isDirectory = try status(of: found.rawValue).isDirectory } catch { throw refusal(path, error) }
    guard isDirectory == forDirectory else {
      throw SetupError(
        "\(path) in the container is \(isDirectory ? "a directory (EISDIR)" : "no directory (ENOTDIR)"), and what is to be "
          + "mounted there is \(forDirectory ? "one" : "none")")
    }
    return found
  }

  /// Where a chain of links at the end of a path leads, when that is nothing; the path itself when it is no link.
  private func danglingTarget(_ path: String) throws(SetupError) -> String {
    var path = path
    for _ in 0..<RootDirectory.maximumLinks {
      let (parent, name) = split(path)
      guard let directory = try existing(parent) else { return path }
      let content: [UInt8]
      do throws(Errno) { content = try readSymbolicLink(name, at: directory.rawValue) } catch { return path }
      let isAbsolute = content.first == UInt8(ascii: "/")
      let (own, base) = (
        try RootDirectory.place(of: descriptor), isAbsolute ? [] : try RootDirectory.place(of: directory)
      )
      // A place has no links any more, so that `..` is what stands before it.
      let inside = base.starts(with: own) ? Array(base[own.count...]) : []
      let joined = (inside + content.pathComponents).reduce(into: [[UInt8]]()) { kept, component in
        if component == Array("..".utf8) { _ = kept.popLast() } else { kept.append(component) }
      }
      path = "/" + String(decoding: Array(joined.joined(separator: [UInt8(ascii: "/")])), as: UTF8.self)
    }
    throw refusal(path, Errno("openat2", code: ELOOP))
  }

  /// As many as the kernel follows (path_resolution(7)).
  private static let maximumLinks = 40

  private func makeFile(_ path: String) throws(SetupError) -> FileDescriptor {
    let (parent, name) = split(path)
    let directory = try directory(parent)
    try requireOwn(directory, toMake: path)
    do throws(Errno) {
      // EEXIST is a link that leads nowhere: nothing says where it was meant to lead.
      let flags = O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
      return try openFile(name, flags, mode: 0o644, at: directory.rawValue)
    } catch {
      throw refusal(path, error)
    }
  }

  /// An existing file or directory, `nil` when there is none. Links are followed inside the root.
  func existing(_ path: String) throws(SetupError) -> FileDescriptor? { try existing(below: relative(path)) }

  /// The same, by a path without a slash at its start, in whatever bytes.
  func existing(below path: [UInt8]) throws(SetupError) -> FileDescriptor? {
    do throws(Errno) {
      return try openBelow(
        descriptor.rawValue, path.isEmpty ? [UInt8(ascii: ".")] : path, O_PATH, resolve: [.inRoot, .noMagicLinks])
    } catch  where error.code == ENOENT || error.code == ENOTDIR {
      return nil
    } catch {
      throw refusal("/" + printable(path), error)
    }
  }

  /// The place that a path stands for now, as the kernel names it (proc(5)): the place of what is there of it, and the rest.
  func place(_ path: String) throws(SetupError) -> [[UInt8]] {
    let components = Array(path.utf8).pathComponents
    for end in stride(from: components.count, through: 0, by: -1) {
      let prefix = String(decoding: Array(components[..<end].joined(separator: [UInt8(ascii: "/")])), as: UTF8.self)
      guard let found = try existing(prefix) else { continue }
      return try RootDirectory.place(of: found) + components[end...]
    }
    return components
  }

  /// The place of an open file.
  static func place(of file: borrowing FileDescriptor) throws(SetupError) -> [[UInt8]] {
    do throws(Errno) {
      return try readSymbolicLink("/proc/self/fd/\(file.rawValue)").pathComponents
    } catch {
      throw SetupError("cannot find out where something is mounted", error, hint: "/proc must be mounted on the host")
    }
  }

  /// The directory and the last component of a path.
  func split(_ path: String) -> (parent: String, name: [UInt8]) {
    let components = Array(path.utf8).pathComponents
    let parent = components.dropLast().flatMap { [UInt8(ascii: "/")] + $0 }
    return (parent.isEmpty ? "/" : String(decoding: parent, as: UTF8.self), components.last ?? [UInt8(ascii: ".")])
  }

  private func relative(_ path: String) -> [UInt8] {
    let joined = Array(Array(path.utf8).pathComponents.joined(separator: [UInt8(ascii: "/")]))
    return joined.isEmpty ? [UInt8(ascii: ".")] : joined
  }

  private func refusal(_ path: String, _ error: Errno) -> SetupError {
    switch error.code {
    case ELOOP:
      SetupError(
        "\(path) in the image passes a symbolic link where a directory must be (\(error.name))",
        hint: "the image would lead a mount elsewhere; rebuild it with a real directory there")
    case EEXIST:
      SetupError(
        "\(path) in the container is a symbolic link that leads nowhere (\(error.name))",
        hint: "make what it leads to, or choose another path")
    case ENOTDIR:
      SetupError(
        "\(path) in the image is not a directory (\(error.name))", hint: "rebuild the image with a directory there")
    case EXDEV:
      SetupError(
        "\(path) of the container is a mount, or a link leads into one (\(error.name))",
        hint: "mount what is needed below \(path) and not over it; --no-create-user leaves account files alone")
    default: SetupError(path, error)
    }
  }

  private func make(_ path: String, mode: UInt32, resolve: Resolve) throws(SetupError) -> FileDescriptor {
    let components = Array(path.utf8).pathComponents
    guard !components.contains(Array("..".utf8)) else { throw SetupError("\(path): \"..\" is not allowed here") }
    var above = try prefix(components[..<0], of: path, resolve)
    for count in components.indices.map({ $0 + 1 }) {
      var next = try prefix(components[..<count], of: path, resolve)
      if next == nil, let above {
        try requireOwn(above.descriptor, toMake: path)
        do throws(Errno) {
          try LinuxKernel.makeDirectory(components[count - 1], mode: mode, at: above.rawValue)
        } catch {
          throw refusal(path, error)
        }
        next = try prefix(components[..<count], of: path, resolve)
      }
      above = next
    }
    do throws(Errno) {
      guard let above else { throw Errno("openat2", code: ENOENT) }
      return try above.descriptor.duplicate()
    } catch {
      throw refusal(path, error)
    }
  }

  /// The directory that the first components of a path lead to, looked up from the root, as links in it want it; `nil` when
  /// there is none.
  private func prefix(_ components: ArraySlice<[UInt8]>, of path: String, _ resolve: Resolve) throws(SetupError)
    -> SharedDescriptor?
  {
    let joined = Array(components.joined(separator: [UInt8(ascii: "/")]))
    do throws(Errno) {
      return SharedDescriptor(
        try openBelow(
          descriptor.rawValue, joined.isEmpty ? [UInt8(ascii: ".")] : joined, O_PATH | O_DIRECTORY, resolve: resolve))
    } catch {
      if error.code == ENOENT { return nil }
      throw refusal(path, error)
    }
  }
}
