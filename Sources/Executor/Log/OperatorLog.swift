import LinuxKernel
import Synchronization
import TaskStore

/// `--log`: where an operator sees what was tried in vain, and when tasks began and ended. It never stops the executor: what
/// it does not take is lost, and counted.
final class OperatorLog: Sendable {
  private struct State {
    var sink: LogSink
    /// The one that attempts are about.
    var taskID: String?
    var lost = 0
    /// How often each attempt has failed, by its message.
    var failures: [String: Int] = [:]
  }

  private let state: Mutex<State>
  /// Attempts that are told apart; of more than that the counts begin anew.
  private static let mostFailures = 256

  init(_ sink: LogSink) { state = Mutex(State(sink: sink)) }

  /// Whom later attempts are about.
  func setTask(_ id: String?) { state.withLock { $0.taskID = id } }

  func note(_ fact: OperatorEvent.Fact) {
    state.withLock { state in
      OperatorLog.write(OperatorEvent(fact, taskID: state.taskID), &state)
    }
  }

  /// The first, second, fourth, eighth … time that the same fails, so that one which fails at every turn does not fill a disk.
  func note(_ attempt: FailedAttempt) {
    state.withLock { state in
      if state.failures.count >= OperatorLog.mostFailures { state.failures = [:] }
      let key = OperatorEvent(.failed(attempt, times: 1), taskID: state.taskID).message
      let times = state.failures[key, default: 0] + 1
      state.failures[key] = times
      guard times & (times - 1) == 0 else { return }
      OperatorLog.write(OperatorEvent(.failed(attempt, times: times), taskID: state.taskID), &state)
    }
  }

  private static func write(_ event: OperatorEvent, _ state: inout State) {
    if state.lost > 0, state.sink.take(OperatorEvent(.lost(state.lost), taskID: state.taskID)) { state.lost = 0 }
    // In the order in which they happened.
    if state.lost > 0 || !state.sink.take(event) { state.lost += 1 }
  }

  /// Events that the log has not taken up to now and does not say.
  var lost: Int { state.withLock { $0.lost } }
}

extension OperatorLog {
  private static let shared = Mutex<OperatorLog?>(nil)

  /// Opens the log that the command line names, and has it hear of what is tried in vain.
  static func begin(_ name: String) throws(ExecutorFailure) {
    let log = OperatorLog(try LogSink(name))
    shared.withLock { $0 = log }
    FailedAttempts.tell { log.note($0) }
  }

  private static var current: OperatorLog? { shared.withLock { $0 } }

  /// Whom later events are about.
  static func about(_ taskID: String?) { current?.setTask(taskID) }

  static func note(_ fact: OperatorEvent.Fact) { current?.note(fact) }

  /// At the program's end.
  static var lostAtEnd: Int { current?.lost ?? 0 }
}
