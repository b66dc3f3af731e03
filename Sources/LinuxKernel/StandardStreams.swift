import CLinux

/// The three descriptors every process is born with, or should be.
package enum StandardStream {
  /// Puts `/dev/null` on whichever of 0, 1 and 2 is closed: the next file opened would get its number, and output would
  /// go there.
  package static func ensureOpen() {
    for number in Int32(0)...2 where ax_fcntl(number, F_GETFD, 0) == -1 {
      _ = ax_open("/dev/null", O_RDWR, 0)
    }
  }

  /// Writes everything; a reader that is gone or a full device is nothing that output can be told about.
  ///
  /// - Returns: false when not all of it could be written.
  @discardableResult package static func write(_ bytes: [UInt8], to number: Int32) -> Bool {
    bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count, let base = buffer.baseAddress {
        guard let count = try? retrying("write", { CLinux.write(number, base + done, buffer.count - done) }) else {
          return false
        }
        done += count
      }
      return true
    }
  }

  /// A descriptor of our own for one that the caller opened.
  package static func duplicate(_ number: Int32) throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try retrying("fcntl") { ax_fcntl(number, F_DUPFD_CLOEXEC, 3) })
  }

  /// Writes as much as can be written without waiting, and says how much that was.
  package static func writeWithoutWaiting(_ bytes: ArraySlice<UInt8>, to number: Int32) -> Int {
    var done = 0
    while done < bytes.count {
      guard isWritable(number) else { break }
      // A pipe that is writable takes PIPE_BUF bytes at least.
      let end = min(bytes.endIndex, bytes.startIndex + done + 4096)
      let piece = Array(bytes[(bytes.startIndex + done)..<end])
      guard let count = try? retrying("write", { CLinux.write(number, piece, piece.count) }) else {
        // Nobody reads any more: what is left has nowhere to go.
        return bytes.count
      }
      done += count
    }
    return done
  }

  /// Writes everything, unless the reader takes nothing for so long: then the rest is left out, and false returned.
  @discardableResult package static func write(_ bytes: [UInt8], to number: Int32, patience milliseconds: Int32) -> Bool
  {
    var rest = bytes[...]
    while !rest.isEmpty {
      let taken = writeWithoutWaiting(rest, to: number)
      if taken == 0 {
        waitForWriting(number, milliseconds: milliseconds)
        guard isWritable(number) else { return false }
      }
      rest = rest.dropFirst(taken)
    }
    return true
  }

  private static func isWritable(_ number: Int32) -> Bool {
    var request = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
    return poll(&request, 1, 0) == 1
  }

  /// Waits until something can be written, or the time is over.
  package static func waitForWriting(_ number: Int32, milliseconds: Int32) {
    var request = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
    _ = poll(&request, 1, milliseconds)
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
