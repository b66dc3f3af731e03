import Glibc
import LinuxKernel

/// The hidden mode of the binary that becomes curl: `aurora-executor __fetch CURL OPTION …`, with nothing of root left.
///
/// Its user is its own: who has the same one could read its request, with the credentials in it, and answer in its place
/// (ptrace(2), proc(5)).
package enum FetchWorker {
  /// The first argument that starts this mode.
  package static let mode = "__fetch"

  /// Where numbers are nobody's (systemd's UIDS-GIDS: 1879048192 to 2147483647 unused), one for each pid there can be.
  private static let users: UInt32 = 1_879_048_192
  /// The same where a user namespace does not reach so far (60578 to 61183 unused).
  private static let fewUsers: (first: UInt32, count: UInt32) = (60578, 606)

  private static func becomeNobody() throws(Errno) {
    let pid = UInt32(CurrentProcess.pid)
    do throws(Errno) { try become(users + pid & 0x7f_ffff) } catch  where error.code == EINVAL {
      try become(fewUsers.first + pid % fewUsers.count)
    }
  }

  private static func become(_ user: UInt32) throws(Errno) { try Credentials.become(uid: user, gid: user) }

  /// Gives up what it has and executes `arguments`; returns never.
  package static func main(_ arguments: [String]) -> Never {
    guard let program = arguments.first else { leave(127) }
    // Read before it is no longer ours to read.
    let environment = HostEnvironment.all
    do throws(Errno) {
      try OwnLimit.coreSize.set(0)
      // curl writes to pipes alone.
      try OwnLimit.fileSize.set(0)
      try OwnLimit.openFiles.set(64)
      if CurrentProcess.effectiveUser == 0 {
        try Credentials.limitBoundingSet(to: [])
        try Credentials.setGroups([])
        try becomeNobody()
        try Credentials.setCapabilities([])
      }
      try Credentials.setNoNewPrivileges()
      // A change of user takes it away (prctl(2)).
      try Child.dieWithParent(SIGKILL)
    } catch {
      Child.report(Array("cannot give up root: \(error)\n".utf8), to: 2)
      leave(127)
    }
    let failure = Child.execute(program, arguments, environment)
    Child.report(Array("\(failure)\n".utf8), to: 2)
    leave(127)
  }
}
