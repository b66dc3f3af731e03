import Glibc
import LinuxKernel
import StrictJSON

/// What has become of the container-init of a task that no executor runs.
package enum InitFate: Equatable {
  /// The journal knows of none.
  case notLaunched
  case lives
  case ended
  /// It cannot be told: why.
  case unknown(String)

  /// Looks for the process that the record of the launch names.
  package init(_ launched: JSON?, _ paths: TaskPaths) {
    guard let launched else {
      self = .notLaunched
      return
    }
    guard let identity = ProcessIdentity(json: launched) else {
      self = .unknown("the journal does not say which process container-init was")
      return
    }
    do throws(Errno) {
      // One that has ended and that nobody has waited for still has its number.
      if let handle = try identity.open(), !ProcessHandle.waitForEnd(handle.rawValue, milliseconds: 1) {
        self = .lives
      } else if identity.bootID == (try ProcessIdentity.currentBootID()),
        launched["pid_namespace"]?.integer.map({ UInt64(clamping: $0) }) != CurrentProcess.pidNamespace
      {
        self = .unknown("container-init was started in another pid namespace, and its process cannot be seen from here")
      } else {
        self =
          InitFate.isListening(paths.launched)
          ? .unknown("container-init listens, and its process cannot be seen from here") : .ended
      }
    } catch {
      self = .unknown("container-init (pid \(identity.pid)) cannot be looked at: \(error)")
    }
  }

  /// By what a journal says that was read.
  package init(_ journal: JournalContents, _ paths: TaskPaths) {
    self.init(journal.launched, paths)
  }

  /// Whether its container is there; `nil` when there was none, or it cannot be told.
  package var hasContainer: Bool? {
    switch self {
    case .lives: true
    case .ended: false
    case .notLaunched, .unknown: nil
    }
  }

  /// Whoever is in another pid namespace does not see the process, and still finds its socket.
  private static func isListening(_ paths: TaskPaths) -> Bool {
    // What others have put there says nothing about this task.
    guard (try? TrustedDirectory.check(paths.run)) != nil, (try? RunDirectory.refuseOthers(paths)) != nil else {
      return false
    }
    return (try? UnixSocket.connect(paths.controlSocket, kind: .sequencedPackets)) != nil
  }
}

extension JournalContents {
  /// The record of the last launch.
  package var launched: JSON? { records.last { $0.type == "launched" }?.json }
}
