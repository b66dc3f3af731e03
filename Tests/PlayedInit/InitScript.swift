import LaunchModel
import LinuxKernel
import Synchronization

/// What becomes of the runs of a task whose container-init is played, and of what it is asked beside them.
package struct InitScript: Sendable {
  package enum End: Sendable {
    case exits(Int32)
    case cannotStart(StartFailure)
    /// It lives until it is signalled.
    case lives
    /// It lives until everything is killed.
    case defies
    /// Init ends with it, after it has written down the exit status where there is one.
    case takesInitAlong(writing: Int32?)
  }

  /// What becomes of a command that is no run.
  package enum Command: Sendable {
    case exits(Int32, saying: String = "")
    /// It lives until it is killed.
    case hangs
    case dies(of: Int32)
    case cannotStart(StartFailure)
  }

  /// What there is of a network.
  package enum Network: Sendable {
    /// That of this process.
    case host
    /// No socket can be had.
    case fails(errno: Int32)
    /// It says that there is one, and none comes.
    case loses
  }

  /// By process, for one run after the other; the last holds for all that follow.
  package var ends: [String: [End]]
  package var setupFailure: (message: String, hint: String)?
  /// What it knows of runs when an executor comes that takes over.
  package var reports: [RunReport]
  /// One after the other; the last holds for all that follow.
  package var commands: [Command] = [.exits(0)]
  package var network = Network.fails(errno: 97)  // EAFNOSUPPORT
  /// What each run of a process writes.
  package var output: [String: (output: String, errors: String)] = [:]
  /// What it tells of a run as soon as that runs.
  package var remarks: [String: [InitEvent]] = [:]
  package var version = ProtocolVersion.own
  /// Whether it says hello, and whether it does what it is told when everything is to be killed.
  package var greets = true
  package var kills = true
  /// It says hello once, and never again.
  package var greetsOnce = false
  /// How many strays there are, one answer after the other; then there are none.
  package var strays: [UInt32] = []
  /// All that it is asked.
  package var heard: Heard?

  package init(
    ends: [String: [End]] = [:], setupFailure: (message: String, hint: String)? = nil, reports: [RunReport] = []
  ) {
    (self.ends, self.setupFailure, self.reports) = (ends, setupFailure, reports)
  }

  func end(_ key: RunKey) -> End {
    let all = ends[key.process] ?? []
    return all.isEmpty ? .exits(0) : all[min(Int(key.run), all.count - 1)]
  }

  /// What was asked of an init, for a test to look at.
  package final class Heard: Sendable {
    private let all = Mutex<[InitRequest]>([])
    package init() {}
    func add(_ request: InitRequest) { all.withLock { $0.append(request) } }
    package var requests: [InitRequest] { all.withLock { $0 } }
  }
}
