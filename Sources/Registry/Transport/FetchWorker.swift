import Glibc
import LinuxKernel

/// The hidden mode of the binary that becomes curl: `aurora-executor __fetch CURL OPTION …`, with nothing of root left.
package enum FetchWorker {
  /// The first argument that starts this mode.
  package static let mode = "__fetch"

  /// The user that owns nothing, by its number: not every host has it by name.
  private static let nobody: UInt32 = 65534

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
        try Credentials.become(uid: nobody, gid: nobody)
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
