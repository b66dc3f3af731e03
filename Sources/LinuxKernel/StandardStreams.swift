import CLinux
import Synchronization

/// The three descriptors every process is born with, or should be.
package enum StandardStream {
  /// Puts `/dev/null` on whichever of 0, 1 and 2 is closed: the next file opened would get its number, and output would
  /// go there.
  package static func ensureOpen() {
    for number in Int32(0)...2 where ax_fcntl(number, F_GETFD, 0) == -1 {
      _ = ax_open("/dev/null", O_RDWR, 0)
    }
  }

  /// Why something could not be written to standard output, the first time; 0 while everything could.
  private static let failure = Atomic<Int32>(0)

  /// What standard output could not take: whoever ends says so.
  package static var outputFailure: Errno? {
    let code = failure.load(ordering: .relaxed)
    return code == 0 ? nil : Errno("write", code: code)
  }

  /// Writes everything, or as much as can be.
  ///
  /// - Returns: false when not all of it could be written.
  @discardableResult package static func write(_ bytes: [UInt8], to number: Int32) -> Bool {
    bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count, let base = buffer.baseAddress {
        do throws(Errno) {
          done += try retrying("write") { CLinux.write(number, base + done, buffer.count - done) }
        } catch {
          // Who stops reading has seen what it wanted.
          if number == 1, error.code != EPIPE {
            _ = failure.compareExchange(expected: 0, desired: error.code, ordering: .relaxed)
          }
          return false
        }
      }
      return true
    }
  }

  /// A descriptor of our own for one that the caller opened.
  ///
  /// - Parameter first: no lower number, where the limit of numbers allows that.
  package static func duplicate(_ number: Int32, from first: Int = 3) throws(Errno) -> FileDescriptor {
    do throws(Errno) {
      return FileDescriptor(owning: try retrying("fcntl") { ax_fcntl(number, F_DUPFD_CLOEXEC, first) })
    } catch  where error.code == EINVAL && first > 3 {
      return try duplicate(number)
    }
  }

  package static func isTerminal(_ number: Int32) -> Bool { isatty(number) == 1 }

  /// Everything on standard input, at most `limit` bytes.
  package static func readInput(limit: Int) throws(Errno) -> [UInt8] {
    let copy = FileDescriptor(owning: try retrying("fcntl") { ax_fcntl(0, F_DUPFD_CLOEXEC, 3) })
    return try copy.readToEnd(limit: limit)
  }
}

/// This process' environment and host.
package enum HostEnvironment {
  package static func variable(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    return String(cString: value)
  }

  /// Every variable this process was started with, as `NAME=value`.
  package static var all: [String] {
    let bytes = (try? readFile("/proc/self/environ", limit: 4 << 20)) ?? []
    return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The host's name (gethostname(2)).
  package static var hostname: String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  package static var realUser: UInt32 { getuid() }
}
