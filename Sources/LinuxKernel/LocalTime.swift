import CLinux

/// A time as the host's zone has it (localtime(3)).
package struct LocalTime {
  /// `Nov 30 08:39:32`, as the oldest of log formats has it (RFC 3164 §4.1.2).
  package let syslog: String

  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  /// - Parameter wall: nanoseconds since 1970.
  package init(wall: UInt64) {
    var seconds = time_t(wall / 1_000_000_000)
    var parts = tm()
    localtime_r(&seconds, &parts)
    func pad(_ value: Int32, _ fill: String) -> String { (value < 10 ? fill : "") + String(value) }
    let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { pad($0, "0") }.joined(separator: ":")
    syslog = "\(LocalTime.months[Int(parts.tm_mon) % 12]) \(pad(parts.tm_mday, " ")) \(clock)"
  }
}
