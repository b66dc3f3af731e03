import LaunchModel
import LinuxKernel
import TaskModel

extension ExitStatus {
  /// The same in the task model's terms.
  package var outcome: RunOutcome {
    switch self {
    case .exited(let code): .exited(code)
    case .signaled(let signal): .signaled(signal)
    }
  }
}

extension StartFailure {
  /// The same in the task model's terms.
  package var outcome: RunOutcome { .cannotStart(StartFailureKind(kind.name), reason: reason, hint: hint) }
}
