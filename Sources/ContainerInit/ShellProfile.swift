import Glibc
import LaunchModel
import LinuxKernel

/// `$HOME/.thermos_profile`, which the shell of a command line reads first where there is one.
///
/// It is the task's own file: looked at and read by the run itself, as the task's user, when its command is about to
/// start. So an earlier process can make it for those that come later, and root never touches it.
struct ShellProfile {
  /// Of a regular file that can be read; nil when there is none.
  private let path: String?

  init(_ environment: [EnvironmentVariable]) {
    path = environment.last { $0.name == "HOME" }.map { $0.value + "/.thermos_profile" }.flatMap { path in
      // Not blocking: the task may have put a pipe there.
      guard let file = try? openFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY),
        (try? status(of: file.rawValue))?.isRegularFile == true
      else { return nil }
      return path
    }
  }

  /// The arguments and environment of a shell that reads the profile before the line.
  ///
  /// bash takes BASH_ENV, as under Thermos, so scripts of bash that the line starts read it as well. Any other shell
  /// reads it first, on the same line so that the numbers of lines stay; `command` keeps a fault of the profile from
  /// ending the shell, as none ends bash.
  func apply(to line: String, shell: String, _ environment: [EnvironmentVariable]) -> (
    arguments: [String], environment: [EnvironmentVariable]
  ) {
    guard let path else { return ([shell, "-c", line], environment) }
    if shell.utf8.elementsEqual("/bin/bash".utf8) {
      return (
        [shell, "-c", line], environment.filter { $0.name != "BASH_ENV" } + [EnvironmentVariable("BASH_ENV", path)]
      )
    }
    return ([shell, "-c", "command . \"$HOME/.thermos_profile\"; " + line], environment)
  }
}
