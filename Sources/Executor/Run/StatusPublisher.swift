import LinuxKernel
import StrictJSON
import TaskModel

/// Tells people and programs how the task fares.
struct StatusPublisher {
  enum Style: String, Sendable {
    case plain, json
  }

  let taskID: String
  let style: Style
  /// `--status-fd`: one JSON object a line, whatever the style.
  let statusDescriptor: SharedDescriptor?

  /// The descriptor of `--status-fd`, taken before anything else is opened: a number that the caller did not open would
  /// come to mean a file of ours.
  static func descriptor(_ arguments: Arguments) throws(CommandFailure) -> SharedDescriptor? {
    guard let number = try arguments.integer("--status-fd", in: 0...1_048_575) else { return nil }
    do throws(Errno) { return SharedDescriptor(try StandardStream.duplicate(Int32(number))) } catch {
      throw CommandFailure(.usage, "--status-fd \(number) is not open: \(error.explanation)")
    }
  }

  /// One status update, as Mesos' agents send them.
  func update(_ state: TaskState, reason: String?, message: String?, wall: UInt64 = Clock.wall) {
    let line = Self.json(taskID: taskID, state, reason: reason, message: message, wall: wall).compact
    if let statusDescriptor { Console.raw(Array((line + "\n").utf8), to: statusDescriptor.rawValue) }
    switch style {
    case .json: Console.output(line)
    case .plain:
      let text = [state.rawValue, message].compactMap { $0 }.joined(separator: "  ")
      Console.noteInPassing(text + (reason.map { "  (\($0))" } ?? ""))
    }
  }

  /// Something a person wants to know that is no update.
  func note(_ text: String) {
    if style == .plain { Console.noteInPassing(text) }
  }

  static func json(taskID: String, _ state: TaskState, reason: String?, message: String?, wall: UInt64) -> JSON {
    JSON(object: [
      ("task_id", JSON(taskID)), ("state", JSON(state.rawValue)), ("reason", reason.map { JSON($0) }),
      ("message", message.map { JSON($0) }), ("timestamp", JSON(Clock.timestamp(wall))),
    ])
  }
}
