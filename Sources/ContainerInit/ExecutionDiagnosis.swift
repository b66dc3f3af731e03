import Glibc
import LaunchModel
import LinuxKernel

/// Why execve(2) refused a file: the kernel says ENOENT also when it is the interpreter that is missing.
struct ExecutionDiagnosis {
  let kind: StartFailure.Kind
  /// One clause that names the path, the cause and the errno.
  let reason: String

  private init(_ kind: StartFailure.Kind, _ reason: String) { (self.kind, self.reason) = (kind, reason) }

  /// Looks at the file, as whoever could not execute it sees it.
  static func of(_ path: String, _ error: Errno) -> ExecutionDiagnosis {
    switch error.code {
    case ENOENT:
      guard (try? status(of: path, followLinks: true)) != nil else {
        return ExecutionDiagnosis(.commandNotFound, "\(path): not in the container (ENOENT)")
      }
      let needed = head(of: path)?.interpreter.map { "its interpreter \(printable($0))" } ?? "something it needs"
      return ExecutionDiagnosis(.missingInterpreter, "\(path): \(needed) is not in the container (ENOENT)")
    case EACCES:
      if (try? status(of: path, followLinks: true))?.isDirectory == true {
        return ExecutionDiagnosis(.isDirectory, "\(path): is a directory (EACCES)")
      }
      return ExecutionDiagnosis(.notExecutable, "\(path): not executable for this user (EACCES)")
    case ENOEXEC:
      guard let machine = head(of: path)?.machine else {
        return ExecutionDiagnosis(.unknownFormat, "\(path): not a program this kernel can run (ENOEXEC)")
      }
      return ExecutionDiagnosis(
        .wrongArchitecture, "\(path): built for \(machine), which this host is not (ENOEXEC)")
    case E2BIG:
      return ExecutionDiagnosis(
        .argumentsTooLong, "\(path): the arguments and the environment are too long (E2BIG)")
    default: return ExecutionDiagnosis(.other, "\(path): \(error.explanation)")
    }
  }

  private static func head(of path: String) -> ProgramHead? {
    guard let file = try? openFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY),
      let bytes = try? file.read(upTo: ProgramHead.size, at: 0)
    else { return nil }
    return ProgramHead(bytes)
  }
}
