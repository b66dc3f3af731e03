import LinuxKernel
import Supervision
import TaskStore

extension StatusPublisher {
  /// The descriptor of `--status-fd`, taken before anything else is opened: a number that the caller did not open would
  /// come to mean a file of ours.
  static func descriptor(_ arguments: Arguments, _ option: String = "--status-fd") throws(ExecutorFailure)
    -> SharedDescriptor?
  {
    guard let number = try arguments.integer(option, in: 0...1_048_575) else { return nil }
    do throws(Errno) { return SharedDescriptor(try StandardStream.duplicate(Int32(number))) } catch {
      throw ExecutorFailure(.usage, "\(option) \(number) is not open: \(error.explanation)")
    }
  }
}
