import ContainerInit
import Glibc
import Images
import LinuxKernel
import TaskModel

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

  init(_ paths: TaskPaths, _ settings: RunSettings, _ task: TaskSpecification) {
    sandbox = paths.sandbox
    sandboxInside = settings.sandboxMountPoint
    switch task.container {
    case .docker: roots = nil
    case .mesos(let container):
      switch container.image {
      case nil: roots = ["/"]
      case .docker(let name, let tag):
        roots = ProgramLookup.layers(name + (tag.map { ":" + $0 } ?? ""), paths)
      case .appc: roots = nil
      }
    }
  }

  private static func layers(_ image: String, _ paths: TaskPaths) -> [String]? {
    do {
      let store = try ImageStore(root: TaskPaths.images(paths.workDirectory))
      return try store.find(try ImageReference(image))?.layers.reversed().map(\.path)
    } catch {
      return nil
    }
  }

  /// `nil` when nothing can be said.
  func find(_ path: [UInt8]) -> TaskEvidence.Program? {
    guard path.contains(UInt8(ascii: "/")) else { return nil }
    let inside = Array(sandboxInside.utf8) + [UInt8(ascii: "/")]
    if path.first != UInt8(ascii: "/") { return look(path, in: [sandbox]) }
    if path.starts(with: inside) { return look(Array(path.dropFirst(inside.count)), in: [sandbox]) }
    return roots.map { look(path, in: $0) }
  }

  private func look(_ path: [UInt8], in roots: [String]) -> TaskEvidence.Program {
    for root in roots {
      guard let directory = try? openFile(root, O_PATH | O_DIRECTORY),
        let found = try? openBelow(directory.rawValue, path, O_PATH, resolve: [.inRoot, .noMagicLinks]),
        let about = try? status(of: found.rawValue)
      else { continue }
      guard about.isRegularFile, let file = try? openFile("/proc/self/fd/\(found.rawValue)", O_RDONLY),
        let head = try? file.read(upTo: ProgramHead.size, at: 0)
      else { return .present(ProgramHead([])) }
      return .present(ProgramHead(head))
    }
    return .absent
  }
}
