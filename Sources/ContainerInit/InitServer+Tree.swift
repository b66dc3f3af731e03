import Glibc
import LinuxKernel

/// What is done with all processes of the container, and signals that come from outside it.
extension InitServer {
  /// How often strays are counted while somebody waits for them to end.
  private static let strayNanoseconds: UInt64 = 200_000_000
  /// How often their number is told while it changes.
  private static let strayPause: UInt64 = 1_000_000_000

  func takeSignals() {
    // SIGTERM and its like to init are for the executor to act on, not for init: it ends when it is told to. Senders
    // inside have no say: a task's own root could otherwise stop itself by accident (`kill -1`).
    while let received = (try? nextSignal(signals)) ?? nil {
      guard received.signal != SIGCHLD, received.isVouchedFor, !tree.isInside(received.pid), !mayBeNameless else {
        continue
      }
      if connections.isEmpty { untoldStop = received.signal }
      tell(.stopRequested(signal: received.signal))
    }
    reapAndTell()
  }

  /// Whether a signal from inside may have come without who has sent it: where init's uid is the task's, and what the kernel has
  /// queued for that comes near its limit. It is delivered all the same then, as if from outside.
  private var mayBeNameless: Bool {
    guard starter.restrictions.identity.uid == CurrentProcess.effectiveUser, let queued = CurrentProcess.queuedSignals
    else {
      return false
    }
    return queued.count >= queued.limit / 2
  }

  func countStrays() {
    work?.countStrays()
    goOnWithWork()
  }

  func goOnWithWork() {
    guard let report = work?.goOn() else { return }
    try? workTimer.set(report.next)
    if let count = report.strays { tellStrays(count) }
  }

  /// That none is left is told at once; a number that comes and goes, now and then.
  private func tellStrays(_ count: Int) {
    // Those that somebody put here from outside (`docker exec`, nsenter(1)) are nobody's children here: no signal says
    // that they have ended.
    if count > 0 { try? strayTimer.set(Clock.now + InitServer.strayNanoseconds) }
    guard count != straysTold, count == 0 || Clock.now >= toldStraysAt + InitServer.strayPause else { return }
    (straysTold, toldStraysAt) = (count, Clock.now)
    tell(.strays(UInt32(clamping: count)))
  }
}
