import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// Tells people and programs how the task fares. It waits for none of them before the end.
package struct StatusPublisher {
  package enum Style: String, Sendable {
    case plain, json
  }

  package let taskID: String
  package let style: Style
  /// Only warnings are shown: for whoever tells in words of its own.
  package var isSilent = false
  package let output: ExecutorOutput
  private let starter: OutputQueue?

  /// - Parameter statusDescriptor: `--status-fd`, which gets one JSON object a line, whatever the style.
  /// - Parameter starter: the same for who has started a detached executor.
  package init(taskID: String, style: Style, statusDescriptor: SharedDescriptor?, starter: SharedDescriptor? = nil)
    throws(ExecutorFailure)
  {
    try self.init(
      taskID: taskID, style: style, statusDescriptor: statusDescriptor, starter: starter, streams: .own)
  }

  init(
    taskID: String, style: Style, statusDescriptor: SharedDescriptor?, starter: SharedDescriptor? = nil,
    streams: ExecutorOutput.Streams
  ) throws(ExecutorFailure) {
    (self.taskID, self.style) = (taskID, style)
    do throws(Errno) {
      output = try ExecutorOutput(
        statuses: [statusDescriptor, starter].compactMap { $0?.rawValue }, updatesOnOutput: style == .json,
        streams: streams)
      self.starter = starter == nil ? nil : output.statuses.last
      self.starter?.isForStarter = true
    } catch {
      throw ExecutorFailure(.internalError, "cannot write to standard output and standard error: \(error)")
    }
  }

  /// One status update, as Mesos' agents send them.
  package func update(
    _ state: TaskState, reason: String?, message: String?, hint: String? = nil, wall: UInt64 = Clock.wall
  ) {
    let line = Self.json(taskID: taskID, state, reason: reason, message: message, hint: hint, wall: wall).compact
    if !isSilent {
      switch style {
      case .json: output.output.update(line)
      case .plain:
        let text = [state.rawValue, message].compactMap { $0 }.joined(separator: "  ")
        output.errors.update(text + (reason.map { "  (\($0))" } ?? "") + (hint.map { "\nhint: \($0)" } ?? ""))
      }
    }
    // After people's: whoever is told by a program finds the same in the log.
    for status in output.statuses { status.update(line) }
  }

  /// What an executor says first, and who has started a detached one says itself.
  package static func announcement(_ taskID: String) -> String { "task \(taskID)" }

  /// Tells who has started a detached executor that it goes on with the task.
  func tookOver() {
    let line = JSON(object: [(Self.takenOver, true)]).compact
    starter?.update(line)
  }
  package static let takenOver = "taken_over"

  /// Something a person wants to know that is no update.
  package func note(_ text: String) {
    if style == .plain, !isSilent { output.errors.note(text) }
  }

  /// Something that a person should know whatever the style.
  package func warning(_ text: String) { output.errors.note("warning: " + text) }

  /// Runs a task, says why when that fails, and sees to it that what was said gets out, to who reads.
  package func run(_ body: () throws(ExecutorFailure) -> TaskEnd) -> Result<TaskEnd, ExecutorFailure> {
    let end = Result(catching: body)
    if case .failure(let failure) = end { output.errors.update(failure.report) }
    output.finish()
    return end
  }

  package static func json(
    taskID: String, _ state: TaskState, reason: String?, message: String?, hint: String? = nil, wall: UInt64
  ) -> JSON {
    JSON(object: [
      ("task_id", JSON(taskID)), ("state", JSON(state.rawValue)), ("reason", reason.map { JSON($0) }),
      ("message", message.map { JSON($0) }), ("hint", hint.map { JSON($0) }),
      ("timestamp", JSON(Clock.timestamp(wall))),
    ])
  }
}
