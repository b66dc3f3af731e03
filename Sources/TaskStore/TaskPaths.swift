import Glibc
import LaunchModel
import LinuxKernel

/// Every path of a task on this host.
///
///     <work-dir>/                         0711 root
///       tasks/<task-id>/                  0700 root: nobody else walks to what a task writes
///         task.json                       the document as given
///         plan.json                       what was launched
///         events.jsonl                    the journal
///         launch                          what was launched, for an executor that takes over; until the task has ended
///         executor.log                    what a detached executor has to say
///         exits                           container-init's durable record of exits
///         init.log                        container-init's last words, when it has any
///         health.json                     the last health checks, when there are any
///         result.json
///         container.nonce                 a Docker task's: the random word in its container's labels
///         logs/<process>/<run>/stdout, stderr [.1 …], each with its .index: the role's to read
///         logs/.outcome.json              how the task ended, for its final processes; no process has such a name
///         sandbox/                        0700, the role user's; cwd and HOME of the processes
///         rootfs/upper, rootfs/work       the writable layer over the image, gone when the task has ended
///       tasks/.new-<task-id>-<random>/    a task that is being made, or removed: no task's name
///       tasks/.new-<task-id>-rootfs/      the writable layer of one that has ended, while it is being removed
///       images/                           the image store
///     <run-dir>/.init/                    0711 root: this program, for the containers of Docker tasks
///     <run-dir>/<task-id>/                0700 root
///       work-dir                          a link to the <work-dir> that the task is of; there first, gone last
///       control.sock                      container-init listens here
///       executor.sock                     and its executor here (`ControlRequest`)
///       handover/                         a Docker task's: its init and where that gets its plan
///       network/                        hosts, resolv.conf and hostname as a container with an image has them
///       console/<process>/<run>/          what a `console` process wrote and nobody has seen yet
///       shown/<process>/<run>             how much of a run's output was shown
///       accounts/                         a Docker task's: account files for a root that cannot be written to
///
/// The executor that runs a task holds a lock (flock(2)) on the task's directory.
package struct TaskPaths: Sendable {
  package var workDirectory: String
  package let runDirectory: String
  package let taskID: String

  package init(workDirectory: String, runDirectory: String, taskID: String) {
    self.workDirectory = workDirectory
    self.runDirectory = runDirectory
    self.taskID = taskID
  }

  package var task: String { "\(workDirectory)/tasks/\(taskID)" }
  /// What the work directory is known by, wherever it is moved to; `nil` while it has no tasks.
  package var tasksIdentity: String? { try? status(of: TaskPaths.tasks(workDirectory), followLinks: true).identity }
  package var document: String { task + "/task.json" }
  package var plan: String { task + "/plan.json" }
  package var journal: String { task + "/events.jsonl" }
  package var executorLog: String { task + "/" + TaskPaths.executorLogName }
  package var exits: String { task + "/exits" }
  package var initLog: String { task + "/init.log" }
  package var health: String { task + "/health.json" }
  package var result: String { task + "/" + TaskPaths.resultName }
  package var logs: String { task + "/logs" }
  package var outcome: String { logs + "/" + TaskPaths.outcomeName }
  package var containerNonce: String { task + "/container.nonce" }
  package var sandbox: String { task + "/sandbox" }
  package var rootfs: String { task + "/rootfs" }
  package var upper: String { rootfs + "/upper" }
  package var overlayWork: String { rootfs + "/work" }
  package var run: String { "\(runDirectory)/\(taskID)" }
  package var runOwner: String { run + "/" + TaskPaths.runOwnerName }
  package var controlSocket: String { run + "/" + TaskPaths.controlSocketName }
  package var executorSocket: String { run + "/" + TaskPaths.executorSocketName }
  package var launchRecord: String { task + "/launch" }
  package var handover: String { run + "/" + TaskPaths.handoverName }
  package var accounts: String { run + "/" + TaskPaths.accountsName }
  package var networkFiles: String { run + "/" + TaskPaths.networkFilesName }
  package var console: String { run + "/" + TaskPaths.consoleName }
  package var shown: String { run + "/" + TaskPaths.shownName }

  /// With the run directory in which the task was launched, where that is written down: a command line may name another. That
  /// one is meant where it has been moved to, which is where the task has its directory.
  package var launched: TaskPaths {
    guard let first = (try? JournalContents(reading: journal))?.records.first,
      let recorded = first.json["run_directory"]?.string
    else { return self }
    let found = TaskPaths(workDirectory: workDirectory, runDirectory: recorded, taskID: taskID)
    func isThere(_ path: String) -> Bool { (try? status(of: path)) != nil }
    return isThere(found.run) || (!isThere(run) && isThere(found.runDirectory)) ? found : self
  }

  static let outcomeName = ".outcome.json"
  static let resultName = "result.json"
  package static let executorLogName = "executor.log"
  static let runOwnerName = "work-dir"
  static let handoverName = "handover"
  static let accountsName = "accounts"
  private static let controlSocketName = "control.sock"
  private static let executorSocketName = "executor.sock"
  private static let networkFilesName = "network"
  private static let consoleName = "console"
  private static let shownName = "shown"
  /// All that there is in a task's run directory.
  static let runNames = [
    runOwnerName, handoverName, accountsName, controlSocketName, executorSocketName, networkFilesName, consoleName,
    shownName,
  ]

  package static func images(_ workDirectory: String) -> String { workDirectory + "/images" }
  package static func tasks(_ workDirectory: String) -> String { workDirectory + "/tasks" }

  package func logs(_ process: String, _ run: Int) -> String { "\(logs)/\(process)/\(run)" }
  package func console(_ process: String, _ run: Int) -> String { "\(console)/\(process)/\(run)" }
  package func shown(_ process: String, _ run: Int) -> String { "\(shown)/\(process)/\(run)" }

  /// `[A-Za-z0-9][A-Za-z0-9_.-]{0,127}`: an id becomes a directory's and a cgroup's name.
  package static func isValidID(_ id: String) -> Bool {
    let bytes = Array(id.utf8)
    func alphanumeric(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"):
        true
      default: false
      }
    }
    guard (1...128).contains(bytes.count), alphanumeric(bytes[0]) else { return false }
    return bytes.allSatisfy {
      alphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
    }
  }

  /// `<name>-YYYYMMDD-HHMMSS-<six hexadecimal digits>`, with what an id may not hold replaced.
  package static func newID(name: String, wall: UInt64 = Clock.wall) -> String {
    let seconds = Int(wall / 1_000_000_000)
    let (year, month, day) = Clock.civil(seconds / 86400)
    let rest = seconds % 86400
    func pad(_ value: Int, _ width: Int = 2) -> String {
      String(repeating: "0", count: max(0, width - String(value).utf8.count)) + String(value)
    }
    var safe = name.utf8.prefix(80).map { byte -> Character in
      isValidID("a" + String(UnicodeScalar(byte))) && byte < 0x80 ? Character(UnicodeScalar(byte)) : "_"
    }
    if let first = safe.first, !isValidID(String(first)) { safe.insert("t", at: 0) }
    let random = String(UInt32.random(in: 0..<(1 << 24)) | 1 << 24, radix: 16).dropFirst()
    return (safe.isEmpty ? "task" : String(safe))
      + "-\(pad(year, 4))\(pad(month))\(pad(day))-\(pad(rest / 3600))\(pad(rest / 60 % 60))\(pad(rest % 60))-\(random)"
  }

  /// The tasks that have a directory here, by id.
  package static func allIDs(_ workDirectory: String) throws(ExecutorFailure) -> [String] {
    let found: [DirectoryEntry]
    do throws(Errno) {
      found = try entries(of: tasks(workDirectory))
    } catch {
      if error.code == ENOENT { return [] }
      throw ExecutorFailure(
        error.code == EACCES ? .needsPrivileges : .internalError, "cannot look into \(tasks(workDirectory)): \(error)",
        hint: error.code == EACCES ? "run with sudo" : nil)
    }
    return found.filter(\.isDirectory)
      .compactMap { String(validating: $0.name, as: UTF8.self) }.filter(isValidID).sorted()
  }

  /// Whether nothing is at the task's path, for whatever reason.
  package var isMissing: Bool {
    do throws(Errno) {
      _ = try status(of: task)
      return false
    } catch {
      return [ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG].contains(error.code)
    }
  }

  /// Whether there is no such task any more. The directory of the tasks must be there to say so, and must let itself be
  /// looked into: one that is not mounted at the moment, or below a directory where the caller cannot go, may have it.
  package var isGone: Bool {
    guard let tasks = try? openFile(TaskPaths.tasks(workDirectory), O_RDONLY | O_DIRECTORY) else { return false }
    do throws(Errno) {
      _ = try status(of: taskID, at: tasks.rawValue)
      return false
    } catch {
      return error.code == ENOENT
    }
  }

  /// A way to the sandbox for a role that sees the host's file system as it is: it may walk through what is root's, and no
  /// other user may.
  package func openFor(_ identity: Identity) throws(ExecutorFailure) {
    guard identity.uid != 0 else { return }
    do throws(Errno) {
      for path in [task, logs] {
        let directory = try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        try allowSearch(of: directory.rawValue, by: identity.uid)
      }
    } catch {
      throw ExecutorFailure(
        .configuration, "without the isolator filesystem/linux \(identity.name) cannot be let into \(task): \(error)",
        hint: "add filesystem/linux to --isolation, or choose a --work-dir on a file system with access control lists")
    }
  }

  /// An empty sandbox for a launch that is done anew, nothing of the task having seen the one before.
  package func renewSandbox() throws(ExecutorFailure) {
    do throws(Errno) {
      try removeTree(sandbox)
      try makeDirectory(sandbox, mode: 0o700)
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot make \(sandbox) anew: \(error)")
    }
  }

  /// The directories of a writable layer over an image.
  package func createRootfs() throws(Errno) {
    try makeDirectory(rootfs, mode: 0o700)
    try makeDirectory(upper, mode: 0o755)
    // It becomes the mode of the container's root, whatever the umask.
    let directory = try openFile(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    try changeMode(of: directory.rawValue, to: 0o755)
    try makeDirectory(overlayWork, mode: 0o700)
  }

  /// Puts the writable layer aside, unless it is to be kept: `TaskDirectory.removeAside` removes it. Returns what went
  /// wrong, or what was kept.
  package func putRootfsAside(keeping: Bool) -> [String] {
    if keeping {
      return hasRootfs
        ? ["what the task wrote over its image is kept in \(upper); `aurora-executor sweep` removes it"] : []
    }
    do throws(Errno) {
      try TaskDirectory.putRootfsAside(self)
      return []
    } catch {
      return ["cannot put \(rootfs) aside, `sweep` removes it: \(error)"]
    }
  }

  /// Removes the writable layer at once. Returns what went wrong.
  package func removeRootfs() -> [String] {
    do throws(Errno) {
      try removeTree(rootfs)
      return []
    } catch {
      return ["cannot remove \(rootfs): \(error)"]
    }
  }

  package var hasRootfs: Bool { (try? status(of: rootfs)) != nil }
}
