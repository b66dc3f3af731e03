import CLinux

/// A descriptor that the caller opened, written to without ever waiting.
///
/// The caller shares the open file with us, and would have to live with O_NONBLOCK on it. So a pipe and a terminal are
/// opened anew, and what is set is ours alone. That readiness is asked for before a blocking write is not enough: of a
/// terminal POLLOUT says that there is room for something, not for all of it, and a pipe may have other writers.
package final class OutputDescriptor: Sendable {
  private enum Way {
    /// A pipe or a terminal, opened anew with O_NONBLOCK.
    case nonBlocking
    case socket
    /// One that could not be opened anew, as the terminal of another user: pieces that fit whenever it is writable.
    case pieces(Int)
    /// A file, or a device that is no terminal: nobody reads it who could be waited for.
    case file
  }

  private let descriptor: FileDescriptor
  private let way: Way
  package let isTerminal: Bool
  /// What is written to, for telling whether two descriptors are one.
  package let device: UInt64
  package let inode: UInt64

  package var rawValue: Int32 { descriptor.rawValue }

  package init(_ number: Int32) throws(Errno) {
    let about = try status(of: number)
    (device, inode) = (about.device, about.inode)
    let type = about.mode & UInt32(S_IFMT)
    isTerminal = isatty(number) == 1
    if type == UInt32(S_IFSOCK) {
      way = .socket
    } else if type == UInt32(S_IFIFO) || isTerminal {
      if OutputDescriptor.canBeOpenedAnew(number, about),
        let again = try? openFile("/proc/self/fd/\(number)", O_WRONLY | O_NONBLOCK | O_NOCTTY)
      {
        way = .nonBlocking
        descriptor = again
        return
      }
      // A writable pipe takes PIPE_BUF bytes. A terminal's room is counted in buffers of 256, and a newline may take two.
      way = .pieces(isTerminal ? 128 : 4096)
    } else {
      way = .file
    }
    descriptor = try StandardStream.duplicate(number)
  }

  /// Opening /dev/ptmx makes another terminal, /dev/tty may be another one; and what was opened for reading stays so.
  private static func canBeOpenedAnew(_ number: Int32, _ about: FileStatus) -> Bool {
    let flags = ax_fcntl(number, F_GETFL, 0)
    guard flags != -1, flags & O_ACCMODE != O_RDONLY else { return false }
    // Their numbers are 5:0 and 5:2 (Linux' list of devices), also that of a ptmx within a devpts.
    return about.deviceType != 5 << 32 | 0 && about.deviceType != 5 << 32 | 2
  }

  /// Writes once, as much as is taken at once; 0 when nothing is. An error says that nobody takes it any more.
  package func write(_ bytes: ArraySlice<UInt8>) throws(Errno) -> Int {
    let number = descriptor.rawValue
    var count = bytes.count
    if case .pieces(let size) = way {
      count = min(count, size)
      var request = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
      guard poll(&request, 1, 0) == 1 else { return 0 }
    }
    if case .socket = way { return try StreamSocket.send(bytes, over: number) }
    var failure: Errno?
    let written = bytes.withUnsafeBytes { buffer in
      do throws(Errno) {
        return try retrying("write") { CLinux.write(number, buffer.baseAddress, count) }
      } catch {
        failure = error
        return 0
      }
    }
    if let failure, failure.code != EAGAIN { throw failure }
    return written
  }
}
