import Glibc
import LinuxKernel

/// Why execve(2) refused a file, in words: the kernel says ENOENT also when it is the interpreter that is missing.
enum ExecutionDiagnosis {
  /// One clause that names the path, the cause and the errno.
  static func reason(_ path: String, _ error: Errno) -> String {
    switch error.code {
    case ENOENT:
      guard (try? status(of: path, followLinks: true)) != nil else {
        return "\(path): not in the container (ENOENT)"
      }
      if let interpreter = head(of: path)?.interpreter {
        return "\(path): its interpreter \(printable(interpreter)) is not in the container (ENOENT)"
      }
      return "\(path): something it needs is not in the container (ENOENT)"
    case EACCES:
      if (try? status(of: path, followLinks: true))?.isDirectory == true { return "\(path): is a directory (EACCES)" }
      return "\(path): not executable for this user (EACCES)"
    case ENOEXEC:
      let machine = head(of: path)?.machine.map { "built for \($0), which this host is not" }
      return "\(path): " + (machine ?? "not a program this kernel can run") + " (ENOEXEC)"
    case E2BIG: return "\(path): the arguments and the environment are too long (E2BIG)"
    default: return "\(path): \(error.explanation)"
    }
  }

  private static func head(of path: String) -> ProgramHead? {
    guard let file = try? openFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY),
      let bytes = try? file.read(upTo: ProgramHead.size, at: 0)
    else { return nil }
    return ProgramHead(bytes)
  }
}
