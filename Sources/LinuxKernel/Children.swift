import CLinux

/// The calls by which a process that adopts orphans looks after its children (waitid(2), wait4(2)).
package enum Children {
  /// A child that has ended and is not reaped yet, left in that state; `nil` when there is none.
  package static func peekEnded() -> Int32? {
    var info = siginfo_t()
    guard waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 else { return nil }
    let pid = ax_siginfo_pid(&info)
    return pid == 0 ? nil : pid
  }

  /// Reaps an ended child.
  package static func reap(_ pid: Int32) -> (waitStatus: Int32, use: ResourceUse)? {
    var status: Int32 = 0
    var usage = rusage()
    guard ax_wait4(pid, &status, WNOHANG, &usage) == pid else { return nil }
    return (status, ResourceUse(usage))
  }

  /// Whether any child is left, running or ended.
  package static var areLeft: Bool {
    var info = siginfo_t()
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0
  }

  /// Sends a signal to a process, to a group (negative) or to everything this process may see (-1); an absent target
  /// is not an error. Only for children that have not been reaped: their numbers cannot mean anything else.
  package static func signal(_ target: Int32, _ signal: Int32) {
    _ = kill(target, signal)
  }

  /// A signal to the process group of a child that leads, or will lead, a session of its own: one that was forked a moment
  /// ago may not have come to that yet.
  package static func signalGroup(_ pid: Int32, _ signal: Int32) {
    if kill(-pid, signal) == -1, errno == ESRCH { _ = kill(pid, signal) }
  }

  /// The child's side of a fork in a single-threaded process: 0 in the child, the child's pid in the parent. The child
  /// is born in `cgroup`, a cgroup2 directory, when there is one.
  package static func fork(into cgroup: Int32?) throws(Errno) -> Int32 {
    guard let cgroup else { return try retrying("fork") { ax_fork() } }
    var pidfd: Int32 = -1
    let pid = try retrying("clone3") { ax_fork_into(cgroup, &pidfd) }
    if pid > 0, pidfd >= 0 { _ = CLinux.close(pidfd) }
    return pid
  }
}

/// What a child does to itself before it becomes a task's process.
package enum Child {
  /// Joins a cgroup v1 by its `tasks` file. Writing "0" moves the calling thread; for a single-threaded process that is
  /// the process, without the grace period that moving another one costs.
  package static func join(tasksFile: borrowing FileDescriptor) throws(Errno) {
    try tasksFile.writeAll([UInt8(ascii: "0")])
  }

  /// Makes a cgroup namespace: the cgroups that this process is in are the roots of what it sees from here on.
  package static func enterCgroupNamespace() throws(Errno) {
    try check("unshare(CLONE_NEWCGROUP)") { ax_unshare_cgroups() }
  }

  /// Has the kernel send a signal when the parent ends (prctl(2)). One that has ended already is not noticed.
  package static func dieWithParent(_ signal: Int32) throws(Errno) {
    try check("prctl(PR_SET_PDEATHSIG)") { ax_set_parent_death_signal(signal) }
  }

  package static func startSession() throws(Errno) { try check("setsid") { setsid() == -1 ? -1 : 0 } }

  /// Makes `source` descriptor number `target`, which stays open across exec.
  package static func place(_ source: Int32, at target: Int32) throws(Errno) {
    try check("dup2") { dup2(source, target) == -1 ? -1 : 0 }
  }

  /// Keeps these descriptors and no others, as numbers from `first` on; those up to `lastKept` stay open across exec. What
  /// was open below `first` stays as it is.
  package static func keepOnly(_ descriptors: [Int32], first: Int32, lastKept: Int32) throws(Errno) {
    try check("dup3") { ax_keep_descriptors(descriptors, Int32(descriptors.count), first, lastKept + 1) }
  }

  /// Opens `/dev/null` of this root, which may be the task's to change: a link is refused (`ELOOP`), and so is what is no
  /// null device (`ENODEV`), looked at before it is opened.
  package static func openNull(_ flags: Int32) throws(Errno) -> FileDescriptor {
    let place = try openFile("/dev/null", O_PATH | O_NOFOLLOW)
    guard try status(of: place.rawValue).isNullDevice else { throw Errno("open", code: ENODEV) }
    let null = try openFile("/dev/null", flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
    guard try status(of: null.rawValue).isNullDevice else { throw Errno("open", code: ENODEV) }
    // Not to wait for whatever had the name in between.
    try null.setNonBlocking(false)
    return null
  }

  /// The same as standard input.
  package static func openNullInput() throws(Errno) {
    let null = try openNull(O_RDONLY)
    try place(null.rawValue, at: 0)
  }

  /// A fresh anonymous session keyring, so that root's is out of reach. A kernel without keyrings has none to protect,
  /// and a seccomp filter that forbids keyrings (EPERM), as Docker's does, keeps everybody's out of reach.
  package static func leaveKeyring() throws(Errno) {
    do throws(Errno) {
      try check("keyctl") { ax_join_new_session_keyring() == -1 ? -1 : 0 }
    } catch  where error.code == ENOSYS || error.code == EPERM {
    }
  }

  /// Signals as a fresh process has them: default dispositions, nothing blocked.
  package static func resetSignals() throws(Errno) { try check("sigprocmask") { ax_reset_signals() } }

  package static func setFileCreationMask(_ mask: UInt32) { _ = umask(mask) }

  /// Enters a directory and checks that it lies below the root: a descriptor that leaked from the host would show as a
  /// path the kernel cannot express (CVE-2024-21626).
  package static func enter(_ directory: String) throws(Errno) {
    try enterDirectory(directory)
    var buffer = [CChar](repeating: 0, count: 4096)
    let found = getcwd(&buffer, buffer.count)
    if found == nil { throw Errno.current("getcwd") }
    if buffer[0] != CChar(UInt8(ascii: "/")) { throw Errno("getcwd", code: EXDEV) }
  }

  /// Replaces the program (execve(2)); returns only with the reason why not.
  package static func execute(_ path: String, _ arguments: [String], _ environment: [String]) -> Errno {
    let argv = CStringArray(arguments)
    let envp = CStringArray(environment)
    guard !path.utf8.contains(0) else { return Errno("execve", code: EINVAL) }
    _ = path.withCString { ax_execve($0, argv.pointer, envp.pointer) }
    return Errno.current("execve")
  }

  /// Waits for one byte; false when the other end is closed.
  package static func waitForByte(_ number: Int32) -> Bool {
    var byte: UInt8 = 0
    return (try? retrying("read") { read(number, &byte, 1) }) == 1
  }

  /// Writes a last message. There is nobody to tell when even that fails.
  package static func report(_ message: [UInt8], to number: Int32) { _ = write(number, message, message.count) }

  /// Ends the process without running anything else.
  package static func exit(_ status: Int32) -> Never { _exit(status) }
}

/// Properties of this process.
package enum CurrentProcess {
  package static var pid: Int32 { getpid() }
  /// Ends this process after a while (SIGALRM), whatever it waits for: also for a lock that only what kills interrupts.
  package static func end(afterMilliseconds milliseconds: UInt64) {
    ax_end_after(max(1, min(milliseconds, 1 << 32)))
  }
  package static var effectiveUser: UInt32 { geteuid() }
  package static var effectiveGroup: UInt32 { getegid() }
  /// The inode that stands for its pid namespace (namespaces(7)): in another one a pid is somebody else's; 0 without /proc.
  package static var pidNamespace: UInt64 { (try? status(of: "/proc/self/ns/pid", followLinks: true))?.inode ?? 0 }
  /// How many signals are queued for this process' uid, and at how many there is no room for more (proc(5)); `nil` where that cannot
  /// be read.
  package static var queuedSignals: (count: UInt64, limit: UInt64)? {
    for line in ((try? readFile("/proc/self/status")) ?? []).split(separator: UInt8(ascii: "\n")) {
      guard line.starts(with: "SigQ:\t".utf8) else { continue }
      let numbers = line.dropFirst(6).split(separator: UInt8(ascii: "/")).map {
        UInt64(String(decoding: $0, as: UTF8.self))
      }
      if numbers.count == 2, let count = numbers[0], let limit = numbers[1] { return (count, limit) }
    }
    return nil
  }

  /// The path of this program, where it has one that can be written down.
  package static var executable: String? {
    (try? readSymbolicLink(program)).flatMap { String(validating: $0, as: UTF8.self) }
  }

  /// This program's file, whatever it is called by now (proc(5)): to be opened or executed, not to be shown.
  package static let program = "/proc/self/exe"

  /// Whether there is a proc file system, and of this process's pid namespace.
  package static var hasProc: Bool { (try? readSymbolicLink(program)) != nil }

  /// The command line, also where there is no `/proc`.
  package static var arguments: [String] {
    (0..<ax_argument_count()).compactMap { ax_argument($0).map { String(cString: $0) } }
  }

  /// Adopts orphans even without being pid 1.
  package static func adoptOrphans() throws(Errno) {
    try check("prctl(PR_SET_CHILD_SUBREAPER)") { ax_set_child_subreaper() }
  }

  package static func setName(_ name: String) { _ = name.withCString { ax_set_process_name($0) } }

  /// Writing to a closed socket or pipe shall be an error, not a death.
  package static func ignoreBrokenPipes() { _ = ax_ignore_sigpipe() }

  /// So shall writing beyond the limit of a file's size (setrlimit(2)).
  package static func ignoreFileSizeSignal() { _ = ax_ignore_sigxfsz() }
}
