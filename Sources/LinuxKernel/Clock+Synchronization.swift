import CLinux

extension Clock {
  /// Whether something keeps the wall clock right, as far as the kernel was told (adjtimex(2), `STA_UNSYNC`).
  package static var isSynchronized: Bool { ax_clock_synchronized() == 1 }
}
