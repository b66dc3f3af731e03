import Glibc
import LinuxKernel
import TaskStore

/// The numbers of the ports that `--port` names.
struct PortChoice {
  /// What Mesos' agents offer unless told otherwise. It lies below the ports that Linux gives to outgoing connections
  /// (from 32768 on), so that none of those comes between the choice and a process that listens late.
  static let range = 31000...32000

  /// The last of equal names counts.
  private(set) var numbers: [String: Int] = [:]

  /// - Parameter options: `NAME:PORT` or `NAME:auto` each.
  init(_ options: [String]) throws(ExecutorFailure) {
    var open: [String] = []
    for option in options {
      // A name may hold colons; a number cannot.
      let bytes = Array(option.utf8)
      let colon = bytes.lastIndex(of: UInt8(ascii: ":")) ?? 0
      let name = String(decoding: bytes[..<colon], as: UTF8.self)
      let value = String(decoding: bytes[colon...].dropFirst(), as: UTF8.self)
      open.removeAll { $0 == name }
      numbers[name] = nil
      if value == "auto", !name.isEmpty {
        open.append(name)
      } else if let number = Int(value), (1...65535).contains(number), String(number) == value, !name.isEmpty {
        numbers[name] = number
      } else {
        throw ExecutorFailure(
          .usage, "--port \(printable(option.utf8)): it is NAME:PORT, with a port from 1 to 65535, or NAME:auto")
      }
    }
    try choose(for: open)
  }

  /// Gives each name a free port of its own. All are held until the last is found.
  private mutating func choose(for names: [String]) throws(ExecutorFailure) {
    guard !names.isEmpty else { return }
    let taken = Set(numbers.values)
    // From a place by chance: two tasks that start together seldom look at the same ports.
    let start = Int.random(in: Self.range)
    let order = Array(start...Self.range.upperBound) + Array(Self.range.lowerBound..<start)
    var left = order.filter { !taken.contains($0) }[...]
    var held: [SharedDescriptor] = []
    for name in names {
      while numbers[name] == nil {
        guard let port = left.popFirst() else {
          throw ExecutorFailure(
            .cannotCreate,
            "--port \(printable(name.utf8)):auto: no port from \(Self.range.lowerBound) to \(Self.range.upperBound) is free",
            hint: "name one: --port \(printable(name.utf8)):NUMBER")
        }
        do throws(Errno) {
          held.append(SharedDescriptor(try TCPPort.reserve(UInt16(port))))
          numbers[name] = port
        } catch {
          guard error.code == EADDRINUSE || error.code == EACCES else {
            throw ExecutorFailure(.internalError, "cannot look for a free port: \(error)")
          }
        }
      }
    }
    withExtendedLifetime(held) {}
  }
}
