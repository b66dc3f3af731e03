import LaunchModel
import LinuxKernel
import TaskModel
import TaskStore

/// The environment of a run: the image's below, the standard variables above, and nothing else of the executor's own.
struct ProcessEnvironment {
  let taskID: String
  let identity: Identity
  /// Where the sandbox is seen.
  let sandbox: String
  let hasImage: Bool
  let outcome: OutcomeFile

  /// For an image that sets none.
  private static let imagePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// Where commands are looked for, unless the image says otherwise.
  static func path(hasImage: Bool) -> String { hasImage ? imagePath : HostEnvironment.variable("PATH") ?? imagePath }

  /// - Parameters:
  ///   - run: absent for a command that belongs to none.
  ///   - ending: how the task ends; for final processes.
  func variables(image: [EnvironmentVariable], run: RunReference?, ending: Verdict? = nil) -> [EnvironmentVariable] {
    let path = Self.path(hasImage: hasImage)
    let standard = [
      EnvironmentVariable("HOME", sandbox), EnvironmentVariable("USER", identity.name),
      EnvironmentVariable("LOGNAME", identity.name), EnvironmentVariable("SHELL", identity.shell),
      EnvironmentVariable("TMPDIR", sandbox + "/.tmp"), EnvironmentVariable("MESOS_SANDBOX", sandbox),
      EnvironmentVariable("MESOS_DIRECTORY", sandbox), EnvironmentVariable("AURORA_TASK_ID", taskID),
    ]
    let own = run.map {
      [EnvironmentVariable("AURORA_PROCESS", $0.process), EnvironmentVariable("AURORA_RUN", String($0.run))]
    }
    let told = ending.map(outcome.variables)
    return ([EnvironmentVariable("PATH", path)] + image + standard + (own ?? []) + (told ?? [])).merged
  }
}
