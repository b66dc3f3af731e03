import Glibc
import LinuxKernel

/// Files of logs that are there and cannot be read. Each is said once; what is not there (`ENOENT`) is no fault: it was
/// rotated away, or not begun.
package final class LogFaults {
  private let say: (String) -> Void
  private var said: Set<[UInt8]> = []

  package init(say: @escaping (String) -> Void) { self.say = say }

  package var isEmpty: Bool { said.isEmpty }

  package func tell(_ path: String, _ error: Errno) {
    guard error.code != ENOENT, said.insert(Array(path.utf8)).inserted else { return }
    say(LogFaults.text(path, error))
  }

  package static func text(_ path: String, _ error: Errno) -> String {
    // Nothing else makes the opening of a regular file wait. The kernel takes the lease away, but not at once (fcntl(2)).
    let why = error.code == EWOULDBLOCK ? "; a process holds a lease on it, try again in a minute" : ""
    return "cannot read \(printable(path.utf8)): \(error)\(why)"
  }
}
