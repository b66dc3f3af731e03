import LaunchModel
import LinuxKernel
import TaskStore

extension ExecutorFailure {
  /// Of what an image or an option wants in the environment.
  package init(invalid error: InvalidAssignment) {
    let bytes = Array(error.assignment.utf8)
    self.init(
      .failed, "an environment variable that cannot be: \"\(printable(bytes.prefix(256)))\"",
      hint: "it needs a name before its =, and no NUL; rebuild an image that has it")
  }
}
