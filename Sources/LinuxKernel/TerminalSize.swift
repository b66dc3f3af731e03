import CLinux

/// How large a terminal is that can be written over.
package struct TerminalSize: Sendable, Equatable {
  package var columns: Int
  package var rows: Int

  package init(columns: Int, rows: Int) { (self.columns, self.rows) = (columns, rows) }

  /// As it is now (ioctl_tty(2), `TIOCGWINSZ`); `nil` for what is no terminal, does not say, or cannot move its cursor by its own
  /// word (`TERM=dumb`).
  package init?(of descriptor: Int32) {
    var (columns, rows): (UInt16, UInt16) = (0, 0)
    guard ax_terminal_size(descriptor, &columns, &rows) == 0, columns > 0, rows > 0 else { return nil }
    if let term = getenv("TERM"), String(cString: term).utf8.elementsEqual("dumb".utf8) { return nil }
    (self.columns, self.rows) = (Int(columns), Int(rows))
  }
}
