import ContainerInit
import Glibc
import Images
import LinuxKernel
import TaskModel
import TaskStore

/// Finds the file that a shell complained about, to see what it would have needed.
///
/// The path is a task's: it is resolved below a root of its own, and only a regular file is opened for reading (a device
/// may act on being opened).
struct ProgramLookup {
  private let sandbox: String
  /// Where the processes saw it.
  private let sandboxInside: String
  /// What they saw as their root, uppermost first; `nil` when it cannot be looked at.
  private let roots: [String]?
  private let hasVolumes: Bool

  init(_ paths: TaskPaths, _ settings: RunSettings, _ task: TaskSpecification) {
    sandbox = paths.sandbox
    sandboxInside = settings.sandboxMountPoint
    switch task.container {
    case .docker:
      roots = nil
      hasVolumes = false
    case .mesos(let container):
      hasVolumes = !container.volumes.isEmpty
      switch container.image {
      case nil: roots = ["/"]
      case .docker(let name, let tag):
        roots = ProgramLookup.layers(paths) { store in
          try store.find(try ImageReference(name + (tag.map { ":" + $0 } ?? "")))
        }
      case .appc(let name, let id, let labels):
        let all = labels.map { ImageConfig.Label(name: $0.key, value: $0.value) }
        roots = ProgramLookup.layers(paths) { store in
          try store.find(try AppcQuery(name: name, labels: all, imageID: id.flatMap { AppcImageID($0) }))
        }
      }
    }
  }

  private static func layers(_ paths: TaskPaths, _ find: (ImageStore) throws -> StoredImage?) -> [String]? {
    do {
      return try find(try ImageStore(reading: TaskPaths.images(paths.workDirectory)))?.layers.reversed().map(\.path)
    } catch {
      return nil
    }
  }

  /// `nil` when nothing can be said for certain.
  func find(_ path: [UInt8]) -> TaskEvidence.Program? {
    guard path.contains(UInt8(ascii: "/")) else { return nil }
    let inside = Array(sandboxInside.utf8) + [UInt8(ascii: "/")]
    // From a directory that the process may have left; what is found there is most likely it, what is not says nothing.
    if path.first != UInt8(ascii: "/") { return look(path, in: sandbox) }
    if path.starts(with: inside) { return look(Array(path.dropFirst(inside.count)), in: sandbox) }
    // A volume may have covered anything, and so do the file systems that every container has of its own.
    let covered = ["/proc/", "/sys/", "/dev/"].contains { path.starts(with: $0.utf8) }
    guard let roots, !hasVolumes, !covered else { return nil }
    for root in roots {
      if let found = look(path, in: root) { return found }
      if roots.count > 1, hides(path, root) { return nil }
    }
    // What the task wrote over an image is gone: only the host's own file system is there to be asked.
    return roots == ["/"] && isMissing(path) ? .absent : nil
  }

  /// `nil` when it is not there, or it is something else than a file or a directory: as a whiteout of a layer is.
  private func look(_ path: [UInt8], in root: String) -> TaskEvidence.Program? {
    guard let directory = try? openFile(root, O_PATH | O_DIRECTORY),
      let found = try? openBelow(directory.rawValue, path, O_PATH, resolve: [.inRoot, .noMagicLinks]),
      let about = try? status(of: found.rawValue)
    else { return nil }
    if about.isDirectory { return .directory }
    // Files of the kernel's own file systems are regular and have no size; reading one may act, or never end.
    guard about.isRegularFile else { return nil }
    guard about.size > 0, let magic = try? fileSystemMagic(of: found.rawValue),
      !ProgramLookup.kernelFileSystems.contains(magic),
      let file = try? openFile("/proc/self/fd/\(found.rawValue)", O_RDONLY | O_NONBLOCK | O_NOCTTY),
      let head = try? file.read(upTo: ProgramHead.size, at: 0)
    else { return .present(ProgramHead([])) }
    return .present(ProgramHead(head))
  }

  /// proc, sysfs, tracefs, debugfs.
  private static let kernelFileSystems: Set<UInt64> = [0x9fa0, 0x6265_6572, 0x7472_6163, 0x6462_6720]

  private func isMissing(_ path: [UInt8]) -> Bool {
    do throws(Errno) {
      _ = try status(of: path, followLinks: true)
      return false
    } catch {
      return error.code == ENOENT || error.code == ENOTDIR
    }
  }

  /// Whether a layer hides what the layers below it have there, or leads to another place: a whiteout, a file or a link on the
  /// way, a directory marked as opaque.
  private func hides(_ path: [UInt8], _ root: String) -> Bool {
    var prefix: [UInt8] = []
    for component in path.pathComponents {
      prefix += (prefix.isEmpty ? [] : [UInt8(ascii: "/")]) + component
      do throws(Errno) {
        let layer = try openFile(root, O_PATH | O_DIRECTORY)
        let step = try openBelow(
          layer.rawValue, prefix, O_PATH | O_NOFOLLOW, resolve: [.beneath, .noSymlinks, .noMagicLinks])
        if !(try status(of: step.rawValue).isDirectory) || isOpaque(step.rawValue) { return true }
      } catch {
        return error.code != ENOENT
      }
    }
    return false
  }

  private func isOpaque(_ directory: Int32) -> Bool {
    do throws(Errno) {
      let opened = try openFile("/proc/self/fd/\(directory)", O_RDONLY | O_DIRECTORY)
      return try attributeNames(of: opened.rawValue).contains(Array("user.overlay.opaque".utf8))
    } catch {
      return true
    }
  }
}
