import Glibc
import LinuxKernel

/// The project quota of a task: its directories are charged to one project id, which has the task's limit.
///
/// That overlayfs' work directory has the same id matters: files are made there and renamed into the upper directory, and
/// a rename or a link between two projects is refused with `EXDEV`.
///
/// No lock keeps two executors from the same id: it would have to be one that those with other directories, and in other mount
/// namespaces, take as well. Instead each looks whether an id is charged with anything, charges it with its directories,
/// and looks again: more than its own directories means that somebody else did the same, and it tries another.
package struct DiskQuota {
  package let project: UInt32
  package let limit: UInt64
  private let directory: SharedDescriptor
  /// The file system.
  package let device: UInt64
  /// Whether what is charged is what the task has written. XFS charges what it sets aside for files that grow, too, and gives that
  /// back only when it would have to refuse something.
  package let isExact: Bool
  package var hardLimit: UInt64 { limit + DiskQuota.headroom }

  /// What may be written beyond the limit: so that it is seen that it was exceeded, and not much more (Mesos' disk/xfs
  /// leaves as much).
  static let headroom: UInt64 = 10 << 20
  /// The same of inodes.
  private static let headroomFiles: UInt64 = 1024
  private var files: ProjectQuota.Limits {
    let files = DiskMeasurement.mostFiles(limit)
    return .init(soft: files, hard: files + DiskQuota.headroomFiles)
  }

  /// Whether a directory there would be on a file system with project quotas. What is missing of the path is made later.
  package static func isAvailable(at path: String) -> Bool {
    guard let directory = nearest(path) else { return false }
    return ProjectQuota.isEnforced(on: directory.rawValue)
  }

  /// Whether somebody counts by project id what is made there: by a quota, or for an account of his own.
  package static func countsProjects(at path: String) -> Bool {
    guard let directory = nearest(path) else { return false }
    return ProjectQuota.isEnforced(on: directory.rawValue) || ProjectQuota.isHandedOn(by: directory.rawValue)
  }

  /// The directory, or the one above it that there is; root's alone.
  private static func nearest(_ path: String) -> FileDescriptor? {
    guard CurrentProcess.effectiveUser == 0 else { return nil }
    var rest = Array(path.utf8)[...]
    while true {
      let current = rest.isEmpty ? "/" : String(decoding: rest, as: UTF8.self)
      do throws(Errno) { return try openFile(current, O_PATH | O_DIRECTORY) } catch {
        guard error.code == ENOENT else { return nil }
      }
      guard let slash = rest.lastIndex(of: UInt8(ascii: "/")) else { return nil }
      rest = rest[..<slash]
    }
  }

  /// Whether hard limits do not hold for what init writes there, which has CAP_SYS_RESOURCE where this process has it: XFS
  /// makes no difference.
  package static func letsLogsPass(at path: String) -> Bool {
    guard let directory = try? SharedDescriptor(openFile(path, O_PATH | O_DIRECTORY)),
      (try? isExact(directory)) == true, let wanted = Capabilities(name: "SYS_RESOURCE")
    else { return false }
    return Credentials.effectiveCapabilities.contains(wanted)
  }

  /// Whether what is made in a directory is charged to the task.
  package func charges(_ path: String) -> Bool {
    guard let directory = try? openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { return false }
    return (try? ProjectQuota.project(of: directory.rawValue)) == project
  }

  /// Charges a task's directories, in which nothing of it has run, and sets the limit; `nil` where that is not possible:
  /// no such quota, more than one file system, a project of somebody else's.
  ///
  /// - Parameter directories: the sandbox first.
  package static func establish(limit: UInt64, _ directories: [String]) throws(Errno) -> DiskQuota? {
    guard let sandbox = directories.first, isAvailable(at: sandbox) else { return nil }
    var opened: [SharedDescriptor] = []
    for path in directories {
      opened.append(SharedDescriptor(try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)))
    }
    let devices = try Set(opened.map { (directory) throws(Errno) in try status(of: directory.rawValue).device })
    let projects = try Set(opened.map { (directory) throws(Errno) in try ProjectQuota.project(of: directory.rawValue) })
    let directory = opened[0]
    let above = try openFile("..", O_RDONLY | O_DIRECTORY, at: directory.rawValue)
    // Whoever has charged the directory above to a project of his counts on it; that may be a task that runs this one.
    guard let device = devices.first, devices.count == 1, try ProjectQuota.project(of: above.rawValue) == 0,
      projects.subtracting([0]).allSatisfy(ProjectIDs.range.contains)
    else { return nil }
    do throws(Errno) {
      // What they are charged to already says nothing: a launch before this one may have chosen it, or whoever owns the
      // sandbox, which may be another task's project.
      try charge(0, opened)
      guard let chosen = try choose(opened) else { return nil }
      let quota = DiskQuota(
        project: chosen, limit: limit, directory: directory, device: device, isExact: try isExact(directory))
      try ProjectQuota.setLimits(
        .init(soft: limit, hard: quota.hardLimit), inodes: quota.files, of: chosen, on: directory.rawValue)
      return quota
    } catch {
      // Between two projects nothing can be renamed.
      bestEffort("take the sandbox out of its quota's project") { try charge(0, opened) }
      throw error
    }
  }

  /// The quota of a task that another executor began; `nil` where the file system has none any more.
  ///
  /// - Parameter project: what that one wrote down. The directory itself is not asked: it may be the task's own.
  package static func adopt(_ project: UInt32, limit: UInt64, sandbox: String) -> DiskQuota? {
    guard ProjectIDs.range.contains(project), let directory = try? openFile(sandbox, O_PATH | O_DIRECTORY | O_NOFOLLOW),
      ProjectQuota.isEnforced(on: directory.rawValue), let about = try? status(of: directory.rawValue)
    else { return nil }
    let shared = SharedDescriptor(directory)
    return DiskQuota(
      project: project, limit: limit, directory: shared, device: about.device, isExact: (try? isExact(shared)) ?? false)
  }

  private static func isExact(_ directory: SharedDescriptor) throws(Errno) -> Bool {
    try fileSystemMagic(of: directory.rawValue) != 0x5846_5342  // XFS_SUPER_MAGIC
  }

  private static func choose(_ directories: [SharedDescriptor]) throws(Errno) -> UInt32? {
    let ids = ProjectIDs(projid: (try? readFile("/etc/projid", limit: 16 << 20)) ?? [])
    do {
      return try ids.first(from: .random(in: 0 ... .max)) { id in
        // A limit without anything charged is what a task has left whose directories are gone; it is set anew.
        let before = try ProjectQuota.usage(of: id, on: directories[0].rawValue)
        guard before.inodes == 0, before.bytes == 0 else { return false }
        try charge(id, directories)
        let after = try ProjectQuota.usage(of: id, on: directories[0].rawValue)
        if after.inodes == UInt64(directories.count) { return true }
        try charge(0, directories)
        return false
      }
    } catch let error as Errno {
      throw error
    } catch {
      return nil
    }
  }

  private static func charge(_ project: UInt32, _ directories: [SharedDescriptor]) throws(Errno) {
    for directory in directories { try ProjectQuota.setProject(project, of: directory.rawValue) }
  }

  /// What is charged to the task.
  package func usage() throws(Errno) -> ProjectQuota.Usage {
    try ProjectQuota.usage(of: project, on: directory.rawValue)
  }

  /// For final processes, whose task may have ended by its limit: they can write as much beyond it, or beyond what is
  /// there, as the limit has left over. Nothing is said when they do.
  package func loosen() throws(Errno) {
    let used = try usage()
    let files = max(DiskMeasurement.mostFiles(limit), used.inodes) + DiskQuota.headroomFiles
    try ProjectQuota.setLimits(
      .init(soft: 0, hard: max(limit, used.bytes) + DiskQuota.headroom), inodes: .init(soft: 0, hard: files),
      of: project, on: directory.rawValue)
  }

  /// Takes the limit away; the id stays with the files, and is free when they are gone.
  package func lift() throws(Errno) {
    try ProjectQuota.setLimits(.none, inodes: .none, of: project, on: directory.rawValue)
  }
}
