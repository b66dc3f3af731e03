import CLinux

/// Calls for byte streams over UNIX sockets that a program may have to give up waiting for.
package enum StreamSocket {
  /// Connects to the socket at `path`; the result does not block.
  ///
  /// The file is opened first (`O_PATH`) and connected to through that, so that the length of the path does not matter.
  /// On a UNIX socket only a full backlog makes connect(2) wait; `SO_SNDTIMEO` bounds that wait, and `EAGAIN` tells that
  /// it ran out. Zero milliseconds would mean "for ever" to the kernel and is taken as one.
  package static func connect(_ path: some KernelPath, timeoutMilliseconds: Int64) throws(Errno) -> FileDescriptor {
    let file = try openFile(path, O_PATH)
    let socket = FileDescriptor(
      owning: try retrying("socket") {
        CLinux.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      })
    let number = socket.rawValue
    let bounded = max(timeoutMilliseconds, 1)
    var limit = timeval(tv_sec: Int(bounded / 1000), tv_usec: Int(bounded % 1000) * 1000)
    try check("setsockopt") {
      setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: "/proc/self/fd/\(file.rawValue)".utf8) }
    try check("connect") { ax_connect(number, &address) }
    try socket.setNonBlocking(true)
    return socket
  }

  /// A TCP socket of this process' network namespace that belongs to a user, as firewalls see it (`-m owner`).
  ///
  /// The kernel takes the file-system uid for a socket's owner (setfsuid(2)); nothing else happens under it.
  /// The caller is not dumpable afterwards.
  package static func makeTCP(isIPv6: Bool, owner: UInt32) throws(Errno) -> FileDescriptor {
    let own = CurrentProcess.effectiveUser
    guard owner != own else { return try makeTCP(isIPv6: isIPv6) }
    _ = setfsuid(owner)
    // The kernel makes whoever changes its user dumpable again, where `fs.suid_dumpable` says so.
    defer {
      _ = setfsuid(own)
      _ = ax_set_dumpable(0)
    }
    return try makeTCP(isIPv6: isIPv6)
  }

  private static func makeTCP(isIPv6: Bool) throws(Errno) -> FileDescriptor {
    FileDescriptor(
      owning: try retrying("socket") {
        CLinux.socket(
          isIPv6 ? AF_INET6 : AF_INET,
          Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
      })
  }

  /// Begins to connect to a port of the socket's own loopback interface. True when that is done at once; otherwise the
  /// socket becomes writable when `checkLoopbackConnection` has the outcome.
  package static func connectToLoopback(_ socket: Int32, isIPv6: Bool, port: UInt16) throws(Errno) -> Bool {
    do throws(Errno) {
      try check("connect") { ax_connect_loopback(socket, isIPv6 ? 1 : 0, port) }
      return true
    } catch  where error.code == EINPROGRESS {
      return false
    }
  }

  /// What came of a connection to the loopback interface that was begun (`SO_ERROR`); throws why it was not made.
  ///
  /// A socket whose own port the kernel happened to choose as the one it connects to is connected to itself (RFC 9293
  /// §3.5, simultaneous open), which tells nothing of anybody else: that is `ECONNREFUSED` too, and the connection is
  /// reset, so that it does not keep the port from who is about to listen there.
  package static func checkLoopbackConnection(_ socket: Int32) throws(Errno) {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    try check("getsockopt") { getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &length) }
    if code != 0 { throw Errno("connect", code: code) }
    if ax_is_connected_to_itself(socket) == 1 {
      var reset = linger(l_onoff: 1, l_linger: 0)
      try check("setsockopt") {
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
      }
      throw Errno("connect", code: ECONNREFUSED)
    }
  }

  /// Whether `uid` is root or the user whose rights this process has.
  package static func isRootOrSelf(_ uid: UInt32) -> Bool { uid == 0 || uid == geteuid() }

  /// Sends what the socket takes now and says how much that was; zero when it takes nothing. Never raises SIGPIPE.
  package static func send(_ bytes: ArraySlice<UInt8>, over socket: Int32) throws(Errno) -> Int {
    if bytes.isEmpty { return 0 }
    let result: Result<Int, Errno> = bytes.withUnsafeBytes { buffer in
      do throws(Errno) {
        return .success(
          try retrying("send") {
            CLinux.send(socket, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
          })
      } catch {
        return .failure(error)
      }
    }
    do throws(Errno) {
      return try result.get()
    } catch  where error.code == EAGAIN {
      return 0
    }
  }

  /// What waits to be read, without taking it.
  package enum Waiting: Sendable { case nothing, bytes, end }

  /// Looks whether a byte or the end of the stream waits (recv(2), `MSG_PEEK`).
  package static func waiting(on socket: Int32) throws(Errno) -> Waiting {
    var byte: UInt8 = 0
    do throws(Errno) {
      let count = try retrying("recv") {
        recv(socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
      }
      return count == 0 ? .end : .bytes
    } catch  where error.code == EAGAIN {
      return .nothing
    }
  }

  /// Tells the peer that nothing more will be sent; its answer can still be read (shutdown(2)).
  package static func finishSending(_ socket: Int32) throws(Errno) {
    try check("shutdown") { shutdown(socket, Int32(SHUT_WR)) }
  }
}

extension Errno {
  /// Why a connection was not made, as far as a caller can act on it.
  package enum ConnectFailure: Sendable {
    /// Nothing is at that path.
    case absent
    /// A socket is there and nobody listens.
    case refused
    /// This user may not use it.
    case denied
    /// Its listener did not accept in time.
    case busy
  }

  /// The class of an error of `StreamSocket.connect`; `nil` for the rest.
  package var connectFailure: ConnectFailure? {
    switch code {
    case ENOENT, ENOTDIR: .absent
    case ECONNREFUSED: .refused
    case EACCES, EPERM: .denied
    case EAGAIN: .busy
    default: nil
    }
  }
}

/// Waits until a descriptor can be read or written, or has ended (poll(2)); `nil` milliseconds wait for ever.
///
/// False when the time ran out or a signal interrupted the wait: the caller knows its deadline and looks again. So it is
/// when something can be read from `interrupt`, which is how one thread waits for one thing and heeds another.
package func waitUntilReady(
  _ descriptor: Int32, read: Bool, write: Bool, timeoutMilliseconds: Int32?, interrupt: Int32? = nil
) throws(Errno) -> Bool {
  // poll(2) passes over a negative number.
  var entries = [
    pollfd(fd: descriptor, events: Int16(read ? POLLIN : 0) | Int16(write ? POLLOUT : 0), revents: 0),
    pollfd(fd: interrupt ?? -1, events: Int16(POLLIN), revents: 0),
  ]
  let count = poll(&entries, 2, timeoutMilliseconds ?? -1)
  if count < 0 {
    let code = errno
    if code == EINTR { return false }
    throw Errno("poll", code: code)
  }
  return entries[0].revents != 0
}

/// Whether something can be read from a descriptor now, or it has ended.
package func isReadable(_ descriptor: Int32) -> Bool {
  (try? waitUntilReady(descriptor, read: true, write: false, timeoutMilliseconds: 0)) ?? false
}

/// Reads once from a descriptor that belongs to somebody else; empty at the end (read(2)).
package func readBytes(_ descriptor: Int32, upTo count: Int) throws(Errno) -> [UInt8] {
  var failure: Errno?
  let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
    do throws(Errno) {
      filled = try retrying("read") { CLinux.read(descriptor, buffer.baseAddress, count) }
    } catch {
      failure = error
    }
  }
  if let failure { throw failure }
  return bytes
}
