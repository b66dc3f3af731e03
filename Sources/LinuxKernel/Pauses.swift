import CLinux

extension CurrentProcess {
  /// Does nothing for a while (poll(2)); a signal may end it early.
  package static func pause(milliseconds: Int32) { _ = poll(nil, 0, milliseconds) }
}
