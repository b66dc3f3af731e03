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
struct TaskPaths: Sendable {
  var workDirectory: String
  let runDirectory: String
  let taskID: String

  var task: String { "\(workDirectory)/tasks/\(taskID)" }
  /// What the work directory is known by, wherever it is moved to; `nil` while it has no tasks.
  var tasksIdentity: String? { try? status(of: TaskPaths.tasks(workDirectory), followLinks: true).identity }
  var document: String { task + "/task.json" }
  var plan: String { task + "/plan.json" }
  var journal: String { task + "/events.jsonl" }
  var executorLog: String { task + "/" + TaskPaths.executorLogName }
  var exits: String { task + "/exits" }
  var initLog: String { task + "/init.log" }
  var health: String { task + "/health.json" }
  var result: String { task + "/" + TaskPaths.resultName }
  var logs: String { task + "/logs" }
  var outcome: String { logs + "/" + TaskPaths.outcomeName }
  var containerNonce: String { task + "/container.nonce" }
  var sandbox: String { task + "/sandbox" }
  var rootfs: String { task + "/rootfs" }
  var upper: String { rootfs + "/upper" }
  var overlayWork: String { rootfs + "/work" }
  var run: String { "\(runDirectory)/\(taskID)" }
  var runOwner: String { run + "/" + TaskPaths.runOwnerName }
  var controlSocket: String { run + "/" + TaskPaths.controlSocketName }
  var executorSocket: String { run + "/" + TaskPaths.executorSocketName }
  var launchRecord: String { task + "/launch" }
  var handover: String { run + "/" + TaskPaths.handoverName }
  var accounts: String { run + "/" + TaskPaths.accountsName }
  var networkFiles: String { run + "/" + TaskPaths.networkFilesName }
  var console: String { run + "/" + TaskPaths.consoleName }
  var shown: String { run + "/" + TaskPaths.shownName }

  /// With the run directory in which the task was launched, where that is written down: a command line may name another. That
  /// one is meant where it has been moved to, which is where the task has its directory.
  var launched: TaskPaths {
    guard let first = (try? JournalContents(reading: journal))?.records.first,
      let recorded = first.json["run_directory"]?.string
    else { return self }
    let found = TaskPaths(workDirectory: workDirectory, runDirectory: recorded, taskID: taskID)
    func isThere(_ path: String) -> Bool { (try? status(of: path)) != nil }
    return isThere(found.run) || (!isThere(run) && isThere(found.runDirectory)) ? found : self
  }

  static let outcomeName = ".outcome.json"
  static let resultName = "result.json"
  static let executorLogName = "executor.log"
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

  static func images(_ workDirectory: String) -> String { workDirectory + "/images" }
  static func tasks(_ workDirectory: String) -> String { workDirectory + "/tasks" }

  func logs(_ process: String, _ run: Int) -> String { "\(logs)/\(process)/\(run)" }
  func console(_ process: String, _ run: Int) -> String { "\(console)/\(process)/\(run)" }
  func shown(_ process: String, _ run: Int) -> String { "\(shown)/\(process)/\(run)" }

  /// `[A-Za-z0-9][A-Za-z0-9_.-]{0,127}`: an id becomes a directory's and a cgroup's name.
  static func isValidID(_ id: String) -> Bool {
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
  static func newID(name: String, wall: UInt64 = Clock.wall) -> String {
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
  static func allIDs(_ workDirectory: String) throws(ExecutorFailure) -> [String] {
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
  var isMissing: Bool {
    do throws(Errno) {
      _ = try status(of: task)
      return false
    } catch {
      return [ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG].contains(error.code)
    }
  }

  /// Whether there is no such task any more. The directory of the tasks must be there to say so, and must let itself be
  /// looked into: one that is not mounted at the moment, or below a directory where the caller cannot go, may have it.
  var isGone: Bool {
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
  func openFor(_ identity: Identity) throws(ExecutorFailure) {
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
  func renewSandbox() throws(ExecutorFailure) {
    do throws(Errno) {
      try removeTree(sandbox)
      try makeDirectory(sandbox, mode: 0o700)
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot make \(sandbox) anew: \(error)")
    }
  }

  /// The directories of a writable layer over an image.
  func createRootfs() throws(Errno) {
    try makeDirectory(rootfs, mode: 0o700)
    try makeDirectory(upper, mode: 0o755)
    // It becomes the mode of the container's root, whatever the umask.
    let directory = try openFile(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    try changeMode(of: directory.rawValue, to: 0o755)
    try makeDirectory(overlayWork, mode: 0o700)
  }

  /// Puts the writable layer aside, unless it is to be kept: `TaskDirectory.removeAside` removes it. Returns what went
  /// wrong, or what was kept.
  func putRootfsAside(keeping: Bool) -> [String] {
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
  func removeRootfs() -> [String] {
    do throws(Errno) {
      try removeTree(rootfs)
      return []
    } catch {
      return ["cannot remove \(rootfs): \(error)"]
    }
  }

  var hasRootfs: Bool { (try? status(of: rootfs)) != nil }
}
