import Glibc
import LinuxKernel

/// A process of this host for tests to look at and to end: a shell with a command, in a session of its own.
package final class Shell {
  package let pid: Int32
  package let handle: SharedDescriptor

  /// Starts it, and waits until what it runs is so far as to have made a file that the command makes last of all.
  ///
  /// - Parameter command: with `$READY` as the path of that file.
  package init(_ command: String) throws {
    let ready = "/tmp/aurora-shell-\(UInt64.random(in: 0 ... .max))"
    let null = try openFile("/dev/null", O_RDWR)
    var request = SpawnRequest(
      executable: .path("/bin/sh"), arguments: ["sh", "-c", command],
      descriptors: [null.rawValue, null.rawValue, null.rawValue])
    request.environment = ["PATH=/usr/bin:/bin", "READY=\(ready)"]
    request.newSession = true
    request.parentDeathSignal = SIGKILL
    let child = try request.spawn()
    pid = child.pid
    handle = SharedDescriptor(child.handle())
    defer { try? removeFile(ready) }
    guard waitUntil({ (try? status(of: ready)) != nil }) else { throw Errno("wait", code: ETIMEDOUT) }
  }

  deinit {
    // Whatever it has started is of its session.
    kill(-pid, SIGKILL)
    _ = ProcessHandle.signal(SIGKILL, handle.rawValue)
    _ = ProcessHandle.waitForEnd(handle.rawValue, milliseconds: 10_000)
    ProcessHandle.reap(handle.rawValue)
  }

  /// Ends it, and leaves nothing of it.
  package func end() {
    _ = ProcessHandle.signal(SIGKILL, handle.rawValue)
    _ = ProcessHandle.waitForEnd(handle.rawValue, milliseconds: 10_000)
    ProcessHandle.reap(handle.rawValue)
  }
}
