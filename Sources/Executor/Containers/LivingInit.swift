import ContainerInit
import LinuxKernel
import StrictJSON

/// A container's init that an executor before this one started, found again.
struct LivingInit {
  let process: SharedDescriptor
  let client: InitClient

  /// How long it is waited for what it says first.
  private static let greetingMilliseconds: Int32 = 5000

  /// One that another version of this program has started, and that this one cannot speak with.
  private static func foreign(_ identity: ProcessIdentity, _ paths: TaskPaths, _ why: String) -> CommandFailure {
    let starter = (try? JournalContents(reading: paths.journal))?.records.first?.json["executor"]?.string
    return CommandFailure(
      .configuration,
      "container-init of \(paths.taskID) (pid \(identity.pid)) was started by another version of this executor: \(why)",
      hint: "the task goes on and nothing was done about it; use the executor that started it"
        + (starter.map { ": \(printable($0.utf8)) recover \(paths.taskID)" } ?? ""))
  }

  /// `nil` when it is gone, or goes while it is looked at. One that lives and does not answer is an error: nothing is
  /// done about it.
  static func find(_ identity: ProcessIdentity, _ paths: TaskPaths) throws(CommandFailure) -> LivingInit? {
    let process: SharedDescriptor
    do throws(Errno) {
      guard let found = try identity.open() else { return nil }
      process = SharedDescriptor(found)
    } catch {
      throw CommandFailure(.internalError, "cannot reach container-init of \(paths.taskID): \(error)")
    }
    let client: InitClient
    let greeting: InitClient.Greeting
    do throws(Errno) {
      client = try InitClient(connectingTo: paths.controlSocket)
      greeting = try client.greeting(within: greetingMilliseconds)
    } catch {
      // Init may be on its way out, with its process still there while the kernel ends its namespace.
      if ProcessHandle.waitForEnd(process.rawValue, milliseconds: 10_000) { return nil }
      throw CommandFailure(
        .internalError,
        "container-init of \(paths.taskID) (pid \(identity.pid)) does not listen on \(paths.controlSocket): \(error)",
        hint: "nothing was done about it")
    }
    guard case .foreign(let why) = greeting else { return LivingInit(process: process, client: client) }
    if ProcessHandle.waitForEnd(process.rawValue, milliseconds: 1000) { return nil }
    throw foreign(identity, paths, why)
  }
}

extension ProcessIdentity {
  var journalMembers: [(String, JSON?)] {
    [("boot_id", JSON(bootID)), ("pid", JSON(pid)), ("start_time", JSON(startTime)), ("pidfd_inode", JSON(inode))]
  }

  init?(json: JSON) {
    guard let bootID = json["boot_id"]?.string, let pid = json["pid"]?.integer.flatMap({ Int32(exactly: $0) }),
      let start = json["start_time"]?.integer, let inode = json["pidfd_inode"]?.integer
    else { return nil }
    self.init(bootID: bootID, pid: pid, startTime: UInt64(clamping: start), inode: UInt64(clamping: inode))
  }
}
