import Glibc
import LinuxKernel

/// A task's directory of sockets, `<run-dir>/<task-id>`: made, removed, and whose it is.
///
/// One `--run-dir` serves tasks of every work directory. So the first thing in a task's own is a link to its work
/// directory, which symlink(2) makes whole or not at all. One without it (its executor was killed between two calls, or
/// it is something else altogether) says nothing about a task, and is left alone by everybody but that task.
///
/// Whoever makes one or sweeps one away holds its lock (flock(2)) meanwhile, so that a task whose id was there before
/// never finds it removed under its hands.
package enum RunDirectory {
  /// Makes it for the container to come, with its link. The task's own directory and its lock come before: from then on
  /// `sweep` knows that there is a task.
  ///
  /// - Parameter isTakeover: another executor has made it, and the work directory may have been moved since.
  /// - Returns: What holds it: its name may lead elsewhere in a while.
  @discardableResult
  package static func make(_ paths: TaskPaths, isTakeover: Bool = false) throws(ExecutorFailure) -> HeldRunDirectory {
    if isTakeover { try refuseOthersAtTakeover(paths) }
    do {
      try TrustedDirectory.make(paths.runDirectory, mode: 0o711, option: "--run-dir")
      while true {
        try TrustedDirectory.check(paths.run)
        let isNew = try isMade(paths)
        guard let lock = try lock(paths, wait: true) else { continue }
        if !isNew { try checkUse(paths, isTakeover: isTakeover) }
        try claim(paths, isTakeover: isTakeover)
        return HeldRunDirectory(
          paths, SharedDescriptor(try openFile(".", O_PATH | O_DIRECTORY, at: lock.rawValue)))
      }
    } catch let failure as ExecutorFailure {
      throw failure
    } catch {
      let code = (error as? Errno)?.code
      let hint = code == EACCES || code == EROFS ? "choose another place with --run-dir" : nil
      throw ExecutorFailure(.cannotCreate, "cannot make \(paths.run): \(error)", hint: hint)
    }
  }

  /// - Returns: false where it is there already.
  private static func isMade(_ paths: TaskPaths) throws(Errno) -> Bool {
    do throws(Errno) { try makeDirectory(paths.run, mode: 0o700) } catch {
      guard error.code == EEXIST else { throw error }
      return false
    }
    return true
  }

  /// A directory that was there is a task's when it says so. Without its link it may be one that an executor was making when it
  /// was killed, or that of the task itself, from which somebody has removed the link.
  private static func checkUse(_ paths: TaskPaths, isTakeover: Bool) throws {
    guard (try? status(of: paths.runOwner)) == nil else { return }
    let names = try entries(of: paths.run).map(\.name)
    // It may have got the set-group-id bit from the directory above.
    let isPrivate = try status(of: paths.run).permissions & 0o777 == 0o700
    if isPrivate, isTakeover ? names.allSatisfy(isOwnName) : names.isEmpty { return }
    throw notATasks(paths)
  }

  private static func claim(_ paths: TaskPaths, isTakeover: Bool) throws {
    guard try !putLink(paths) else { return }
    guard owner(paths) != nil else { throw notATasks(paths) }
    try refuseOthers(paths, isTakeover: isTakeover)
    guard !isOwn(paths) else { return }
    // A work directory keeps its tasks when it gets another name; under the former one this task is not there any more.
    try removeFile(paths.runOwner)
    _ = try putLink(paths)
  }

  private static func notATasks(_ paths: TaskPaths) -> ExecutorFailure {
    ExecutorFailure(
      .cannotCreate, "\(paths.run) is there already, and no task's",
      hint: "choose another --task-id or --run-dir")
  }

  /// Refuses the directory of a task of another work directory: what listens there is that one's.
  ///
  /// - Parameter isTakeover: whether the work directory may have been moved since the link was made.
  package static func refuseOthers(_ paths: TaskPaths, isTakeover: Bool = true) throws(ExecutorFailure) {
    guard let owner = owner(paths), !isOwn(paths) else { return }
    var other = paths
    other.workDirectory = owner
    if isTakeover, other.isMissing { return }
    throw ExecutorFailure(
      .cannotCreate, "\(paths.run) is of a task of another work directory, \(printable(owner.utf8))",
      hint: "choose another --task-id or --run-dir; what an ended task has left, `sweep` with that --work-dir removes")
  }

  /// The same for a task whose lock is held here, so that no executor of it can be there. One that listens where the link
  /// says nothing is another task's: somebody has removed our directory, and the link of that one.
  package static func refuseOthersAtTakeover(_ paths: TaskPaths) throws(ExecutorFailure) {
    try refuseOthers(paths)
    guard !isOwn(paths), (try? UnixSocket.connect(paths.executorSocket, kind: .stream)) != nil else { return }
    throw ExecutorFailure(
      .cannotCreate, "\(paths.run) is of another task, whose executor listens in it",
      hint: "when that one has ended, what is left of this task can be taken over")
  }

  /// Whether its link names the work directory, maybe by another path: a bind mount, a link.
  package static func isOwn(_ paths: TaskPaths) -> Bool {
    guard let owner = owner(paths) else { return false }
    if owner.utf8.elementsEqual(paths.workDirectory.utf8) { return true }
    guard let one = try? status(of: owner, followLinks: true),
      let other = try? status(of: paths.workDirectory, followLinks: true)
    else { return false }
    return one.inode == other.inode && one.device == other.device
  }

  private static func isOwnName(_ name: [UInt8]) -> Bool {
    TaskPaths.runNames.contains { $0.utf8.elementsEqual(name) }
  }

  /// False when there is one already.
  static func putLink(_ paths: TaskPaths) throws(Errno) -> Bool {
    do throws(Errno) {
      try makeSymbolicLink(paths.runOwner, to: paths.workDirectory)
      return true
    } catch  where error.code == EEXIST {
      return false
    }
  }

  /// The work directory that its link names, in the spelling of today; `nil` when there is none.
  package static func owner(_ paths: TaskPaths) -> String? {
    guard let bytes = try? readSymbolicLink(paths.runOwner), let path = String(validating: bytes, as: UTF8.self) else {
      return nil
    }
    return DirectoryPath.resolved(path)
  }

  /// Its lock; `nil` when somebody else has it, without `wait`, or when it is gone.
  package static func lock(_ paths: TaskPaths, wait: Bool) throws(Errno) -> SharedDescriptor? {
    do throws(Errno) {
      let directory = SharedDescriptor(try openFile(paths.run, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
      guard try FileLock.take(.exclusive, on: directory.rawValue, wait: wait) else { return nil }
      // The name may lead to another one by now.
      let (held, named) = (try status(of: directory.rawValue), try status(of: paths.run))
      return held.inode == named.inode && held.device == named.device ? directory : nil
    } catch  where error.code == ENOENT {
      return nil
    }
  }

  /// Removes it, for who holds its lock. The link goes last: the rest of one that was removed by half is still somebody's to
  /// sweep.
  ///
  /// - Parameter keepsMounts: what a container that is kept has mounted stays, without the program and the socket: an
  ///   engine mounts everything once more to copy out of it.
  package static func remove(_ paths: TaskPaths, _ lock: SharedDescriptor, keepsMounts: Bool = false) throws(Errno) {
    var isMounted = false
    for entry in try entries(of: lock.rawValue) where isOwnName(entry.name) {
      switch String(decoding: entry.name, as: UTF8.self) {
      case TaskPaths.runOwnerName: break
      case TaskPaths.accountsName where keepsMounts: break
      case TaskPaths.handoverName where keepsMounts:
        isMounted = true
        let handover = try openFile(
          TaskPaths.handoverName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, at: lock.rawValue)
        for file in try entries(of: handover.rawValue) { try removeTree(file.name, at: handover.rawValue) }
      default: try removeTree(entry.name, at: lock.rawValue)
      }
    }
    guard !isMounted else { return }
    // What is no task's stays, and the directory with it.
    let rest = try openFile(".", O_RDONLY | O_DIRECTORY, at: lock.rawValue)
    if try entries(of: rest.rawValue).count == 1 {
      bestEffort("remove \(paths.runOwner)", tolerating: ENOENT) {
        try removeFile(TaskPaths.runOwnerName, at: lock.rawValue)
      }
    }
    try removeDirectory(paths.run)
  }
}
