import ContainerInit
import Glibc
import LinuxKernel
import TaskModel
import TaskStore

/// Renews what a stranger has removed of a task's run directory while the task runs: a cleaner of temporary files, where
/// `--run-dir` is below `/tmp`. Without it `stop`, `recover` and `logs -f` find nobody.
///
/// It looks now and then, for nothing tells at no cost.
final class RunDirectoryKeeper: TaskMonitor {
  private let paths: TaskPaths
  private let directory: HeldRunDirectory
  private let client: InitClient
  private let control: ControlServer?
  private let warn: (String) -> Void
  private let timer: TimerDescriptor
  private var lastComplaint: String?

  private static let pause: UInt64 = 30_000_000_000

  init(
    _ paths: TaskPaths, _ directory: HeldRunDirectory, _ client: InitClient, _ control: ControlServer?,
    warn: @escaping (String) -> Void
  ) throws(Errno) {
    (self.paths, self.directory, self.client, self.control, self.warn) = (paths, directory, client, control, warn)
    timer = try TimerDescriptor()
    try timer.set(Clock.now + Self.pause)
  }

  var descriptor: Int32 { timer.descriptor.rawValue }

  func takeEvents() -> [TaskEvent] {
    timer.acknowledge()
    keep()
    bestEffort("set the timer that looks after \(paths.run)") { try timer.set(Clock.now + Self.pause) }
    return []
  }

  private func keep() {
    let mine = [paths.runOwner, paths.controlSocket] + (control == nil ? [] : [paths.executorSocket])
    // What is in another's is not ours, whatever it is called.
    let missing = directory.isInPlace ? mine.filter(isMissing) : mine
    guard !missing.isEmpty else { return }
    do {
      try directory.renew()
      if missing.contains(paths.controlSocket) {
        let listener = SharedDescriptor(try UnixSocket.listen(paths.controlSocket, kind: .sequencedPackets))
        try client.send(.listen, descriptors: [listener])
      }
      if missing.contains(paths.executorSocket) { try control?.listenAnew() }
      lastComplaint = nil
      warn("somebody removed \(missing.joined(separator: ", ")); made anew")
    } catch let failure as ExecutorFailure {
      complain(failure.message)
    } catch {
      complain("\(error)")
    }
  }

  private func complain(_ why: String) {
    if lastComplaint != why { warn("somebody removed what was in \(paths.run), and it cannot be made anew: \(why)") }
    lastComplaint = why
  }

  private func isMissing(_ path: String) -> Bool {
    do throws(Errno) {
      _ = try status(of: path)
      return false
    } catch {
      return error.code == ENOENT
    }
  }
}
