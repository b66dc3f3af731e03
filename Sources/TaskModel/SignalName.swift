/// Names of Linux' signals, as on every architecture that Swift runs on (signal(7), the x86 and ARM column).
package enum SignalName {
  package static let kill: Int32 = 9
  package static let terminate: Int32 = 15

  private static let names: [StaticString] = [
    "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV",
    "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN",
    "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
  ]

  /// `SIGTERM` for 15; `SIGRTMIN+2` for 36; `signal 99` for a number that is none.
  package static func name(of signal: Int32) -> String {
    if (1...31).contains(signal) { return "\(names[Int(signal) - 1])" }
    // The C library keeps 32 and 33 to itself and counts from 34.
    if (34...64).contains(signal) { return signal == 34 ? "SIGRTMIN" : "SIGRTMIN+\(signal - 34)" }
    return "signal \(signal)"
  }

  /// The number of `SIGTERM`, `TERM`, `sigterm` or `15`, of `SIGRTMIN+3` or `SIGRTMAX-1`; `nil` for anything else.
  package static func number(of text: String) -> Int32? {
    let upper = text.utf8.map { (0x61...0x7a).contains($0) ? $0 - 0x20 : $0 }
    if (1...2).contains(upper.count), upper.allSatisfy({ (0x30...0x39).contains($0) }) {
      let number = upper.reduce(Int32(0)) { $0 * 10 + Int32($1 - 0x30) }
      return (1...64).contains(number) ? number : nil
    }
    let bare = upper.starts(with: "SIG".utf8) ? Array(upper.dropFirst(3)) : upper
    if bare.starts(with: "RTMAX".utf8) {
      for signal in Int32(34)...64 {
        let name = signal == 64 ? "RTMAX" : "RTMAX-\(64 - signal)"
        if name.utf8.elementsEqual(bare) { return signal }
      }
    }
    for signal in Int32(1)...64 where name(of: signal).utf8.dropFirst(3).elementsEqual(bare) { return signal }
    return nil
  }
}
