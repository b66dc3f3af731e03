import CLinux

/// A descriptor with one owner, closed when the owner goes.
///
/// Take `borrowing FileDescriptor` to use one, `consuming` to keep it. Every descriptor is born close-on-exec.
package struct FileDescriptor: ~Copyable, Sendable {
  package let rawValue: Int32

  /// Takes over a number that nothing else owns. Zero is a valid descriptor.
  package init(owning rawValue: Int32) {
    precondition(rawValue >= 0, "a descriptor is not negative")
    self.rawValue = rawValue
  }

  deinit { _ = CLinux.close(rawValue) }

  /// Closes and reports: for write paths, where a failed close is a failed write.
  package consuming func close() throws(Errno) {
    let number = rawValue
    discard self
    if CLinux.close(number) == -1 { throw Errno.current("close") }
  }

  /// Gives the number away to an owner that Swift cannot see.
  package consuming func release() -> Int32 {
    let number = rawValue
    discard self
    return number
  }

  /// A second descriptor for the same open file, close-on-exec.
  package borrowing func duplicate() throws(Errno) -> FileDescriptor {
    let number = rawValue
    return FileDescriptor(owning: try retrying("fcntl") { ax_fcntl(number, F_DUPFD_CLOEXEC, 3) })
  }
}

/// A descriptor that collections and closures can hold: arrays and escaping closures cannot own a `FileDescriptor`.
package final class SharedDescriptor: Sendable {
  package let descriptor: FileDescriptor
  package init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
  package var rawValue: Int32 { descriptor.rawValue }
}

extension FileDescriptor {
  /// Reads once; an empty result is the end of the file. `nil` when a non-blocking descriptor has nothing.
  package borrowing func read(upTo count: Int) throws(Errno) -> [UInt8]? {
    let number = rawValue
    var failure: Errno?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      do throws(Errno) {
        filled = try retrying("read") { CLinux.read(number, buffer.baseAddress, count) }
      } catch {
        failure = error
      }
    }
    if let failure {
      if failure.code == EAGAIN { return nil }
      throw failure
    }
    return bytes
  }

  /// Reads from a position of the file; empty at the end (pread(2)).
  package borrowing func read(upTo count: Int, at offset: Int64) throws(Errno) -> [UInt8] {
    let number = rawValue
    var failure: Errno?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      do throws(Errno) {
        filled = try retrying("pread") { pread(number, buffer.baseAddress, count, off_t(offset)) }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Reads to the end, at most `limit` bytes; more is `EFBIG`.
  package borrowing func readToEnd(limit: Int) throws(Errno) -> [UInt8] {
    var all: [UInt8] = []
    while true {
      guard let piece = try read(upTo: min(65536, limit + 1 - all.count)) else { throw Errno("read", code: EAGAIN) }
      if piece.isEmpty { return all }
      all += piece
      if all.count > limit { throw Errno("read", code: EFBIG) }
    }
  }

  /// Writes everything, however many calls that takes.
  package borrowing func writeAll(_ bytes: some Sequence<UInt8>) throws(Errno) {
    let all = Array(bytes)
    var failure: Errno?
    let number = rawValue
    all.withUnsafeBytes { buffer in
      var done = 0
      do throws(Errno) {
        while done < buffer.count, let base = buffer.baseAddress {
          done += try retrying("write") { CLinux.write(number, base + done, buffer.count - done) }
        }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  /// Writes once, as much as is taken; `nil` when a non-blocking descriptor takes nothing.
  package borrowing func writeSome(_ bytes: [UInt8]) throws(Errno) -> Int? {
    let number = rawValue
    do throws(Errno) {
      return try retrying("write") { CLinux.write(number, bytes, bytes.count) }
    } catch  where error.code == EAGAIN {
      return nil
    }
  }

  /// Writes everything from a position of the file on (pwrite(2)).
  package borrowing func writeAll(_ bytes: [UInt8], at offset: Int64) throws(Errno) {
    var done = 0
    let number = rawValue
    while done < bytes.count {
      done += try retrying("pwrite") {
        bytes.withUnsafeBytes { buffer in
          pwrite(number, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(offset) + off_t(done))
        }
      }
    }
  }

  /// Waits for the data to be on the disk (fsync(2)).
  package borrowing func synchronize() throws(Errno) {
    let number = rawValue
    try check("fsync") { fsync(number) }
  }

  /// Makes reads and writes return at once when they would wait.
  package borrowing func setNonBlocking(_ on: Bool) throws(Errno) {
    let number = rawValue
    let flags = try retrying("fcntl") { ax_fcntl(number, F_GETFL, 0) }
    try check("fcntl") { ax_fcntl(number, F_SETFL, Int(on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK)) }
  }
}
