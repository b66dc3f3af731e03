import LaunchModel
import LinuxKernel

/// One run as init keeps it: from the fork to the record of its end.
final class Run {
  let key: RunKey
  let pid: Int32
  /// Present until the child is let go.
  var go: SharedDescriptor?
  /// Present until the command is executing or has failed to.
  var failure: SharedDescriptor?
  var failureToken: UInt64 = 0
  var startFailure: StartFailure?
  var pumps: [LogPump] = []
  /// Present once the child was reaped; the run ends when its streams have, too.
  var end: ExitRecord?
  var isRecorded = false
  /// When its streams are cut off, once it has ended and they have not.
  var cutAt: UInt64 = 0
  /// Set for what is no run of the task: who asked for the command, and the number it is answered with.
  var command: (id: UInt32, channel: InitChannel)?

  init(key: RunKey, child: HeldChild) {
    self.key = key
    pid = child.pid
    go = child.go
    failure = child.failure
  }

  var state: RunState {
    if isRecorded, let end { return .ended(end) }
    return go == nil ? .running(pid: pid) : .held(pid: pid)
  }

  var isAlive: Bool { end == nil }

  /// Looks whether the child said why it could not execute its command. True when the question is settled.
  func settleStart() -> Bool {
    guard let failure else { return true }
    guard let bytes = (try? failure.descriptor.read(upTo: 4096)) ?? nil else { return false }
    self.failure = nil
    if !bytes.isEmpty {
      startFailure = (try? StartFailure(decoding: bytes)) ?? StartFailure(.other, "cannot start")
    }
    return true
  }
}
