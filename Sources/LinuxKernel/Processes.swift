import CLinux

/// Namespaces a child may be born into (clone(2)).
package struct Namespaces: OptionSet, Sendable, Hashable {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }
  package init(arrayLiteral elements: Namespaces...) { rawValue = elements.reduce(0) { $0 | $1.rawValue } }
  package static let mount = Namespaces(rawValue: UInt64(CLONE_NEWNS))
  package static let pid = Namespaces(rawValue: UInt64(CLONE_NEWPID))
  package static let ipc = Namespaces(rawValue: UInt64(CLONE_NEWIPC))
  package static let uts = Namespaces(rawValue: UInt64(CLONE_NEWUTS))
  package static let network = Namespaces(rawValue: UInt64(CLONE_NEWNET))
  package static let cgroup = Namespaces(rawValue: UInt64(CLONE_NEWCGROUP))
}

/// How a process ended (wait(2)).
package enum ExitStatus: Sendable, Hashable {
  case exited(Int32)
  case signaled(Int32)

  package init(waitStatus: Int32) {
    self =
      ax_wait_exited(waitStatus) != 0
      ? .exited(ax_wait_exit_status(waitStatus)) : .signaled(ax_wait_term_signal(waitStatus))
  }
}

extension ExitStatus: CustomStringConvertible {
  package var description: String {
    switch self {
    case .exited(let code): "exit status \(code)"
    case .signaled(let signal): "signal \(signal)"
    }
  }
}

/// What a process used (getrusage(2)).
package struct ResourceUse: Sendable, Equatable {
  package var userMicroseconds: UInt64 = 0
  package var systemMicroseconds: UInt64 = 0
  package var maximumResidentBytes: UInt64 = 0
  package init() {}
  package init(_ usage: rusage) {
    func microseconds(_ time: timeval) -> UInt64 { UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_usec) }
    userMicroseconds = microseconds(usage.ru_utime)
    systemMicroseconds = microseconds(usage.ru_stime)
    maximumResidentBytes = UInt64(usage.ru_maxrss) * 1024
  }
}

/// A child that this process started and has not reaped yet.
package struct ChildProcess: ~Copyable {
  package let pid: Int32
  package let pidfd: FileDescriptor
  package init(pid: Int32, pidfd: consuming FileDescriptor) {
    self.pid = pid
    self.pidfd = pidfd
  }

  /// Gives up the child but for the handle on it.
  package consuming func handle() -> FileDescriptor { pidfd }

  /// Sends a signal; a child that is gone already is not an error.
  package borrowing func signal(_ signal: Int32) throws(Errno) {
    let number = pidfd.rawValue
    do throws(Errno) {
      try check("pidfd_send_signal") { ax_pidfd_send_signal(number, signal) }
    } catch  where error.code == ESRCH {
    }
  }

  /// Reaps the child if it has ended; whether it has.
  package borrowing func reap() -> Bool {
    var status: Int32 = 0
    var usage = rusage()
    let pid = pid
    // An error would be that of a child that is reaped already.
    return (try? retrying("wait4") { ax_wait4(pid, &status, WNOHANG, &usage) }) != 0
  }

  /// Waits for the end of the child and reaps it.
  package borrowing func wait() throws(Errno) -> (status: ExitStatus, use: ResourceUse) {
    var status: Int32 = 0
    var usage = rusage()
    let pid = pid
    _ = try retrying("wait4") { ax_wait4(pid, &status, 0, &usage) }
    return (ExitStatus(waitStatus: status), ResourceUse(usage))
  }
}

/// A spawn that failed: what the child was doing, and the error it met.
package struct SpawnError: Error, Sendable, CustomStringConvertible {
  package let stage: String
  package let errno: Errno
  package var description: String { "\(stage): \(errno.explanation)" }
}

/// A program to start: everything between clone and exec is prepared here and done in C.
package struct SpawnRequest {
  package enum Executable {
    case path(String)
    case descriptor(Int32)
  }
  package var executable: Executable
  package var arguments: [String]
  package var environment: [String] = []
  /// But for that of cgroups, whose root would be where the parent is.
  package var namespaces: Namespaces = []
  /// A cgroup2 directory the child is born in.
  package var cgroup: Int32?
  /// cgroup v1 `tasks` files the child joins before it runs.
  package var joinTasks: [Int32] = []
  /// `descriptors[i]` becomes number `i` in the child; nothing else is open there.
  package var descriptors: [Int32]
  /// Owners of the descriptors above, where those are objects: an object may be released after its last use, and its
  /// descriptor closed, before the child has got it.
  package var owners: [SharedDescriptor] = []
  package var newSession = false
  /// CPU affinity, scheduling policy, nice value, I/O priority and OOM score as the kernel gives them, and not the parent's; what takes a
  /// capability that is not there stays.
  package var ownPriorities = false
  package var parentDeathSignal: Int32 = 0

  package init(executable: Executable, arguments: [String], descriptors: [Int32]) {
    self.executable = executable
    self.arguments = arguments
    self.descriptors = descriptors
  }

  /// Starts the program. When this throws, no child is left.
  package func spawn() throws(SpawnError) -> ChildProcess {
    defer { withExtendedLifetime(owners) {} }
    let argv = CStringArray(arguments)
    let envp = CStringArray(environment)
    var path = "/proc/self/exe"
    var request = ax_spawn_request()
    request.executable = -1
    switch executable {
    case .path(let text): path = text
    case .descriptor(let number): request.executable = number
    }
    request.clone_flags = namespaces.subtracting(.cgroup).rawValue
    request.cgroup = cgroup ?? -1
    request.new_session = newSession ? 1 : 0
    request.own_priorities = ownPriorities ? 1 : 0
    request.parent_death_signal = parentDeathSignal
    request.argv = argv.pointer
    request.envp = envp.pointer
    var pidfd: Int32 = -1
    var stage: Int32 = 0
    let (pid, code) = path.withCString { path in
      joinTasks.withUnsafeBufferPointer { tasks in
        descriptors.withUnsafeBufferPointer { sources -> (pid_t, Int32) in
          request.path = path
          request.join_tasks = tasks.baseAddress
          request.join_tasks_count = Int32(tasks.count)
          request.sources = sources.baseAddress
          request.source_count = Int32(sources.count)
          let pid = ax_spawn(&request, &pidfd, &stage)
          return (pid, errno)
        }
      }
    }
    if pid < 0 {
      throw SpawnError(stage: SpawnRequest.describe(stage, path: path), errno: Errno("clone3", code: code))
    }
    return ChildProcess(pid: pid, pidfd: FileDescriptor(owning: pidfd))
  }

  private static func describe(_ stage: Int32, path: String) -> String {
    switch UInt32(stage) {
    case AX_STAGE_CGROUP.rawValue: "join the cgroups"
    case AX_STAGE_SESSION.rawValue: "start a session"
    case AX_STAGE_DESCRIPTORS.rawValue: "place descriptors"
    case AX_STAGE_EXEC.rawValue: "execute \(path)"
    default: "create a process (clone3)"
    }
  }
}

/// A NULL-terminated array of C strings, freed with its owner.
package final class CStringArray {
  package let pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  package convenience init(_ strings: [String]) { self.init(strings.map { Array($0.utf8) }) }

  package init(_ strings: [[UInt8]]) {
    count = strings.count
    pointer = .allocate(capacity: strings.count + 1)
    for (index, string) in strings.enumerated() {
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: string.count + 1)
      for (offset, byte) in string.enumerated() { copy[offset] = CChar(bitPattern: byte) }
      copy[string.count] = 0
      pointer[index] = copy
    }
    pointer[strings.count] = nil
  }

  deinit {
    for index in 0..<count { pointer[index]?.deallocate() }
    pointer.deallocate()
  }
}

/// Opens a handle on a process that cannot come to mean another one (pidfd_open(2)).
package func openProcess(_ pid: Int32) throws(Errno) -> FileDescriptor {
  FileDescriptor(owning: try retrying("pidfd_open") { ax_pidfd_open(pid) })
}

/// Sends a signal through a handle; `ESRCH` when the process is gone.
package func sendSignal(_ signal: Int32, to pidfd: borrowing FileDescriptor) throws(Errno) {
  let number = pidfd.rawValue
  try check("pidfd_send_signal") { ax_pidfd_send_signal(number, signal) }
}
