import Glibc
import LinuxKernel
import TaskModel

/// The logs of a task, or what waits to be shown: a directory with `<process>/<run>/` in it.
///
/// The directory itself, and what leads to it, is root's. What is in it a task may have put there, should it ever get to
/// write where it may only read. So below it nothing goes by a path: each directory is opened beneath the one before, and
/// what is a link or no directory is said, once, and not followed.
package final class LogTree {
  package let path: String
  private let root: SharedDescriptor
  private let say: (String) -> Void
  /// Told of what is there and cannot be read, where somebody wants to know.
  package let faults: LogFaults?
  private var said: Set<[UInt8]> = []

  /// - Parameters:
  ///   - faults: told of what is there and cannot be read.
  ///   - say: told of what is no directory of logs.
  package init(_ path: String, faults: LogFaults? = nil, say: @escaping (String) -> Void = { _ in }) throws(Errno) {
    self.path = path
    self.faults = faults
    self.say = say
    root = SharedDescriptor(try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
  }

  /// Whether it was removed since it was opened.
  package var isRemoved: Bool { LinuxKernel.isRemoved(root.rawValue) }

  /// A directory by its name in another: no link, and nothing that another name leads to.
  package static func open(_ name: String, in directory: Int32) throws(Errno) -> FileDescriptor {
    guard !name.utf8.contains(UInt8(ascii: "/")), name != "..", name != "." else {
      throw Errno("openat2", code: EINVAL)
    }
    return try openBelow(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: [.beneath, .noSymlinks])
  }

  /// The processes that have a directory, by name.
  package func processes() -> [String] {
    let all: [DirectoryEntry]
    do throws(Errno) {
      // A descriptor of its own: where a directory was read to is kept with the open file.
      let here = try openFile(".", O_RDONLY | O_DIRECTORY, at: root.rawValue)
      all = try entries(of: here.rawValue)
    } catch {
      faults?.tell(path, error)
      return []
    }
    let found = all.filter { $0.name.first != UInt8(ascii: ".") }
    return found.sorted { $0.name.lexicographicallyPrecedes($1.name) }
      .compactMap { entry in
        guard let name = String(validating: entry.name, as: UTF8.self) else { return nil }
        return entry.isDirectory || process(name) != nil ? name : nil
      }
  }

  /// The directory of a process; `nil` when there is none.
  package func process(_ name: String) -> SharedDescriptor? { open(name, in: root.rawValue, "") }

  /// The directory of a run; `nil` when there is none.
  package func run(_ process: String, _ run: Int) -> SharedDescriptor? {
    guard let folder = self.process(process) else { return nil }
    return open(String(run), in: folder.rawValue, process + "/")
  }

  /// Numbers of runs, in the order in which the file system has them.
  package func runs(of process: String) -> [Int] {
    guard let folder = self.process(process) else { return [] }
    do throws(Errno) {
      return try entries(of: folder.rawValue).compactMap { AccountFile.number($0.name).map(Int.init) }
    } catch {
      faults?.tell("\(path)/\(process)", error)
      return []
    }
  }

  /// Whether there is anything with a run's name.
  package func has(_ process: String, _ run: Int) -> Bool {
    guard let folder = self.process(process) else { return false }
    return (try? status(of: String(run), at: folder.rawValue)) != nil
  }

  /// Removes the directory of a run. False when it is still there, or something else in its place.
  package func remove(_ process: String, _ run: Int) -> Bool {
    guard let folder = self.process(process) else { return false }
    guard self.run(process, run) != nil else { return !has(process, run) }
    do throws(Errno) {
      try removeTree(String(run), at: folder.rawValue)
      return true
    } catch {
      tell("\(path)/\(process)/\(run) cannot be removed: \(error)")
      return false
    }
  }

  private func open(_ name: String, in directory: Int32, _ before: String) -> SharedDescriptor? {
    do throws(Errno) {
      return SharedDescriptor(try LogTree.open(name, in: directory))
    } catch {
      if [ELOOP, ENOTDIR, EXDEV].contains(error.code) {
        tell("\(path)/\(before)\(name) is a link, or no directory: it is not followed")
      } else {
        faults?.tell("\(path)/\(before)\(name)", error)
      }
      return nil
    }
  }

  private func tell(_ text: String) {
    if said.insert(Array(text.utf8)).inserted { say(printable(text.utf8)) }
  }
}

extension LogTree {
  /// Where a process writes.
  package convenience init(of process: ProcessDefinition, _ paths: TaskPaths, say: @escaping (String) -> Void)
    throws(Errno)
  {
    try self.init(process.logger?.destination == .console ? paths.console : paths.logs, say: say)
  }
}
