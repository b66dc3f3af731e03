import Glibc
import LinuxKernel

/// The root a container is being built in, held by descriptor. Every path in it belongs to an image and is hostile:
/// it is resolved below the descriptor and used by descriptor, never by name again.
final class RootDirectory {
  let descriptor: FileDescriptor
  /// The root is the host's own: nothing may be created in it.
  let isHost: Bool

  init(descriptor: consuming FileDescriptor, isHost: Bool) {
    self.descriptor = descriptor
    self.isHost = isHost
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

  /// What a mount of `source` goes on: a directory for a directory, a file for anything else. Made when missing.
  func mountPoint(_ path: String, forDirectory: Bool) throws(SetupError) -> FileDescriptor {
    if forDirectory { return try directory(path) }
    let (parent, name) = split(path)
    let directory = try directory(parent)
    do throws(Errno) {
      // A link at the end would be a place of the image's choosing: it gives way to a file of ours.
      if let old = try? status(of: name, at: directory.rawValue), old.isSymbolicLink {
        try removeFile(name, at: directory.rawValue)
      }
      let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
      do throws(Errno) {
        return try openFile(name, O_PATH | O_NOFOLLOW, at: directory.rawValue)
      } catch  where error.code == ENOENT {
        return try openFile(name, flags | O_CREAT | O_EXCL, mode: 0o644, at: directory.rawValue)
      }
    } catch {
      throw refusal(path, error)
    }
  }

  /// An existing file or directory, `nil` when there is none. Links are followed inside the root.
  func existing(_ path: String) throws(SetupError) -> FileDescriptor? {
    do throws(Errno) {
      return try openBelow(descriptor.rawValue, relative(path), O_PATH, resolve: [.inRoot, .noMagicLinks])
    } catch  where error.code == ENOENT || error.code == ENOTDIR {
      return nil
    } catch {
      throw refusal(path, error)
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
    if isHost { return try HostCover.makeDirectory(path, below: descriptor) }
    let components = Array(path.utf8).pathComponents
    guard !components.contains(Array("..".utf8)) else { throw SetupError("\(path): \"..\" is not allowed here") }
    do throws(Errno) {
      for end in components.indices {
        let prefix = Array(components[...end].joined(separator: [UInt8(ascii: "/")]))
        do throws(Errno) {
          _ = try openBelow(descriptor.rawValue, prefix, O_PATH | O_DIRECTORY, resolve: resolve).rawValue
        } catch  where error.code == ENOENT {
          let parent = Array(components[..<end].joined(separator: [UInt8(ascii: "/")]))
          let above = try openBelow(
            descriptor.rawValue, parent.isEmpty ? [UInt8(ascii: ".")] : parent, O_PATH | O_DIRECTORY, resolve: resolve)
          // EEXIST here is a link that leads nowhere: refused, for nothing says where it was meant to lead.
          try LinuxKernel.makeDirectory(components[end], mode: mode, at: above.rawValue)
        }
      }
      return try openBelow(descriptor.rawValue, relative(path), O_PATH | O_DIRECTORY, resolve: resolve)
    } catch {
      throw refusal(path, error)
    }
  }
}
