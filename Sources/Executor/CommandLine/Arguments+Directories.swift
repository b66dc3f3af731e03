import LinuxKernel
import TaskStore

extension Arguments {
  /// The same with both directories, named or not, in their one spelling.
  ///
  /// - Parameter believed: those in which what is found is acted on: nobody else may have a say in them.
  func withResolvedDirectories(believed: [Option]) throws(ExecutorFailure) -> Arguments {
    var arguments = self
    for (option, standard) in [
      (CommonOptions.workDirectory, Defaults.workDirectory), (CommonOptions.runDirectory, Defaults.runDirectory),
    ] {
      let given = last(option.name) ?? standard
      let isBelieved = believed.contains { $0.name == option.name }
      arguments.set(option.name, to: isBelieved ? try TrustedDirectory.check(given) : DirectoryPath.resolved(given))
    }
    if believed.contains(where: { $0.name == CommonOptions.workDirectory.name }) {
      try TrustedDirectory.check(TaskPaths.tasks(arguments.workDirectory))
      try TrustedDirectory.check(TaskPaths.images(arguments.workDirectory))
    }
    return arguments
  }

  var workDirectory: String { last("--work-dir") ?? Defaults.workDirectory }
  var runDirectory: String { last("--run-dir") ?? Defaults.runDirectory }
}
