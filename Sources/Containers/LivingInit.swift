import ContainerInit
import Glibc
import LinuxKernel
import StrictJSON
import TaskStore

/// A container's init that an executor before this one started, found again.
package struct LivingInit {
  package let process: SharedDescriptor
  package let client: InitClient

  /// How long it is waited for what it says first.
  private static let greetingMilliseconds: Int32 = 5000

  /// One that another version of this program has started, and that this one cannot speak with.
  private static func foreign(_ identity: ProcessIdentity, _ paths: TaskPaths, _ why: String) -> ExecutorFailure {
    let starter = (try? JournalContents(reading: paths.journal))?.records.first?.json["executor"]?.string
    return ExecutorFailure(
      .configuration,
      "container-init of \(paths.taskID) (pid \(identity.pid)) was started by another version of this executor: \(why)",
      hint: "the task goes on and nothing was done about it; use the executor that started it"
        + (starter.map { ": \(printable($0.utf8)) recover \(paths.taskID)" } ?? ""))
  }

  /// What there is to go on with.
  package enum Found {
    case living(LivingInit)
    /// There is none, or none any more: why.
    case gone(String)

    fileprivate static var goneBefore: Found { .gone("container-init was gone when the task was recovered") }
  }

  /// Looks for it. One that goes while it is looked at is gone. One that lives and does not answer is an error: nothing is done
  /// about it. But one that nobody can ever reach again is ended.
  package static func find(_ identity: ProcessIdentity, _ paths: TaskPaths) throws(ExecutorFailure) -> Found {
    let process: SharedDescriptor
    do throws(Errno) {
      guard let found = try identity.open() else { return .goneBefore }
      process = SharedDescriptor(found)
    } catch {
      throw ExecutorFailure(.internalError, "cannot reach container-init of \(paths.taskID): \(error)")
    }
    // Whoever answers there is believed.
    try TrustedDirectory.check(paths.run)
    try RunDirectory.refuseOthersAtTakeover(paths)
    let client: InitClient
    let greeting: InitClient.Greeting
    do throws(Errno) {
      client = try InitClient(connectingTo: paths.controlSocket)
      greeting = try client.greeting(within: greetingMilliseconds)
    } catch  where error.code == ENOENT || error.code == ECONNREFUSED {
      // Init may be on its way out, with its process still there while the kernel ends its namespace.
      if ProcessHandle.waitForEnd(process.rawValue, milliseconds: 500) { return .goneBefore }
      return try findWithoutSocket(identity, process, paths, error)
    } catch {
      if ProcessHandle.waitForEnd(process.rawValue, milliseconds: 10_000) { return .goneBefore }
      throw ExecutorFailure(
        .internalError,
        "container-init of \(paths.taskID) (pid \(identity.pid)) does not answer on \(paths.controlSocket): \(error)",
        hint: "nothing was done about it")
    }
    guard case .foreign(let why) = greeting else { return .living(LivingInit(process: process, client: client)) }
    if ProcessHandle.waitForEnd(process.rawValue, milliseconds: 1000) { return .goneBefore }
    throw foreign(identity, paths, why)
  }

  /// Its socket was removed, by somebody who took it for a temporary file. It is given another one.
  private static func findWithoutSocket(
    _ identity: ProcessIdentity, _ process: SharedDescriptor, _ paths: TaskPaths, _ error: Errno
  ) throws(ExecutorFailure) -> Found {
    try RunDirectory.make(paths, isTakeover: true)
    let what = "container-init of \(paths.taskID) (pid \(identity.pid))"
    var client: InitClient?
    var greeting = InitClient.Greeting.silent
    do throws(Errno) {
      if let entrance = try InitEntrance.find(of: identity.pid, process.rawValue) {
        do throws(Errno) { try removeFile(paths.controlSocket) } catch  where error.code == ENOENT {}
        try entrance.listen(at: paths.controlSocket)
        let connected = try InitClient(connectingTo: paths.controlSocket)
        greeting = try connected.greeting(within: greetingMilliseconds)
        client = connected
      }
    } catch {
      if ProcessHandle.waitForEnd(process.rawValue, milliseconds: 1000) { return .goneBefore }
      let isForbidden = error.code == EPERM || error.code == EACCES
      // Init is closed to its own user (PR_SET_DUMPABLE), and listens to no other.
      if isForbidden, CurrentProcess.effectiveUser != 0 {
        return try end(identity, process, "\(paths.controlSocket): \(error)", what)
      }
      throw ExecutorFailure(
        isForbidden ? .needsPrivileges : .internalError,
        "\(what) has lost its socket \(paths.controlSocket), and cannot be given another one: \(error)",
        hint: (isForbidden ? "CAP_SYS_PTRACE is needed. " : "") + "Nothing was done about it")
    }
    guard let client else { return try end(identity, process, "\(paths.controlSocket): \(error)", what) }
    if case .foreign(let why) = greeting { throw foreign(identity, paths, why) }
    return .living(LivingInit(process: process, client: client))
  }

  /// One that nobody can ever speak with again, nor end as it should be.
  private static func end(
    _ identity: ProcessIdentity, _ process: SharedDescriptor, _ why: String, _ what: String
  ) throws(ExecutorFailure) -> Found {
    if CurrentProcess.effectiveUser == 0 {
      _ = ProcessHandle.signal(SIGKILL, process.rawValue)
    } else {
      InitTree(pid: identity.pid, process: process).kill()
    }
    guard ProcessHandle.waitForEnd(process.rawValue, milliseconds: 10_000) else {
      throw ExecutorFailure(
        .internalError, "\(what) can be reached by nobody (\(why)), and has not ended within 10 s of SIGKILL",
        hint: "`recover` once more when the kernel has let it go")
    }
    return .gone("container-init could be reached by nobody any more (\(why)) and was ended, the container with it")
  }
}
