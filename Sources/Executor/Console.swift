import LinuxKernel
import TaskStore

/// Standard output for data, standard error for everything else.
enum Console {
  static func output(_ text: String) { write(text + "\n", to: 1) }
  static func raw(_ bytes: [UInt8], to descriptor: Int32 = 1) { StandardStream.write(bytes, to: descriptor) }
  static func note(_ text: String) { write(text + "\n", to: 2) }
  static func warning(_ text: String) { write("warning: \(text)\n", to: 2) }

  static func error(_ failure: ExecutorFailure) { note(failure.report) }

  static var outputIsTerminal: Bool { StandardStream.isTerminal(1) }

  /// Text that came from elsewhere may hold what a terminal acts on; newlines and tabs stay.
  private static func write(_ text: String, to descriptor: Int32) {
    StandardStream.write(terminalSafe(Array(text.utf8)), to: descriptor)
  }

  /// Rows as columns, each as wide as its widest cell, the last as long as it is.
  static func table(_ rows: [[String]]) -> String {
    guard let columns = rows.first?.count else { return "" }
    let widths = (0..<columns).map { column in rows.map { $0[column].unicodeScalars.count }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        line += cell
        if column < columns - 1 {
          line += String(repeating: " ", count: widths[column] - cell.unicodeScalars.count + 2)
        }
      }
      return line
    }.joined(separator: "\n")
  }
}
