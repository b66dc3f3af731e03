import CLinux

/// What signals do to this process (signal(7)).
package enum SignalDispositions {
  /// Whether it was to ignore the signal when it was started (nohup(1), `&` in a script): then it is not to act on it.
  package static func isIgnored(_ signal: Int32) -> Bool { ax_is_ignored(signal) == 1 }

  /// Ignores whatever would end this process and is no one's request to end: everything but those in `handled`, what the
  /// kernel sends for a fault of the program's own, and SIGKILL. What is executed later gets its defaults back.
  package static func ignoreOthers(than handled: [Int32]) {
    // Faults; what ends nothing, or only stops; those that the C library keeps for itself.
    let left = [
      SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGSEGV, SIGSYS, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN,
      SIGTTOU, SIGURG, SIGWINCH, 32, 33,
    ]
    for signal in Int32(1)...64 where !left.contains(signal) && !handled.contains(signal) { _ = ax_ignore(signal) }
  }
}
