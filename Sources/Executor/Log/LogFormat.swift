import LinuxKernel

/// An event as each kind of log has it. Nothing in it can end a line or a field: what is not printable is written out.
enum LogFormat {
  static let identifier = "aurora-executor"
  /// More than a path and an error take, and no more than what a daemon's datagram holds.
  private static let longestMessage = 4096
  /// RFC 3164 §4.1.
  private static let longestDatagram = 1024
  /// RFC 3164 §4.1.1: daemon.
  private static let facility = 3

  /// `2026-11-30T08:39:32.120Z 4711 web-20261130-083932-2b9c4e cannot …`; `-` where it is about no task.
  static func line(_ event: OperatorEvent) -> [UInt8] {
    let words = [Clock.timestamp(event.wall), String(event.pid), task(event) ?? "-"]
    return Array((words.joined(separator: " ") + " ").utf8) + message(event, longestMessage) + [UInt8(ascii: "\n")]
  }

  /// As syslog(3) writes to a daemon on this host: local time, and no host name.
  static func syslog(_ event: OperatorEvent) -> [UInt8] {
    let priority = facility * 8 + event.severity.rawValue
    let head = "<\(priority)>\(LocalTime(wall: event.wall).syslog) \(identifier)[\(event.pid)]: "
    let start = Array((head + (task(event).map { $0 + ": " } ?? "")).utf8)
    return start + message(event, max(0, longestDatagram - start.count))
  }

  /// systemd's native protocol: a field a line.
  static func journal(_ event: OperatorEvent) -> [UInt8] {
    var bytes = Array("MESSAGE=".utf8) + message(event, longestMessage) + [UInt8(ascii: "\n")]
    var fields = [("PRIORITY", String(event.severity.rawValue)), ("SYSLOG_IDENTIFIER", identifier)]
    if let task = task(event) { fields.append(("TASK_ID", task)) }
    if let errno = event.errno { fields.append(("ERRNO", String(errno))) }
    for (name, value) in fields { bytes += Array("\(name)=\(value)\n".utf8) }
    return bytes
  }

  private static func task(_ event: OperatorEvent) -> String? { event.taskID.map { printable($0.utf8) } }

  /// Of one that is too long the middle is left out: what was tried stands at its beginning, and why it failed at its end.
  private static func message(_ event: OperatorEvent, _ most: Int) -> [UInt8] {
    let bytes = Array(printable(event.message.utf8).utf8)
    guard bytes.count > most else { return bytes }
    let gap = Array(" … ".utf8)
    let half = max(0, most - gap.count) / 2
    var tail = bytes.suffix(half)
    // It begins with a whole character.
    while let first = tail.first, first & 0xc0 == 0x80 { tail = tail.dropFirst() }
    let head = bytes.prefix(half)
    return head.prefix(head.wholeCharacters) + gap + tail
  }
}
