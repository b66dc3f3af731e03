import CLinux

/// The C library's `errno`, which Swift sees only as a macro.
var errno: Int32 { ax_errno() }

/// A failed system call: the error number and the call that gave it (errno(3)).
package struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
  /// The error number, as in `<errno.h>`.
  package let code: Int32
  /// The call that failed, as named in section 2 of the manual.
  package let call: StaticString

  package init(_ call: StaticString, code: Int32) {
    self.call = call
    self.code = code
  }

  /// Captures `errno`; only valid as the first thing after the failed call.
  package static func current(_ call: StaticString) -> Errno { Errno(call, code: errno) }

  /// The symbolic name, `ENOENT`, where we know one; otherwise `errno 123`.
  package var name: String { Errno.names[code] ?? "errno \(code)" }

  /// `ENOENT (No such file or directory)`.
  package var explanation: String { "\(name) (\(String(cString: strerror(code))))" }

  package var description: String { "\(call): \(explanation)" }

  /// Whether it says something of the host and nothing of what was asked for: no room, no descriptors, no memory, a disk that
  /// takes nothing. What is refused so may be taken later.
  package var isShortage: Bool { [ENOSPC, EDQUOT, EIO, EROFS, EMFILE, ENFILE, ENOMEM, ENOBUFS].contains(code) }

  package static func == (left: Errno, right: Errno) -> Bool { left.code == right.code }
  package func hash(into hasher: inout Hasher) { hasher.combine(code) }

  private static let names: [Int32: String] = [
    EPERM: "EPERM", ENOENT: "ENOENT", ESRCH: "ESRCH", EINTR: "EINTR", EIO: "EIO", ENXIO: "ENXIO", E2BIG: "E2BIG",
    ENOEXEC: "ENOEXEC", EBADF: "EBADF", ECHILD: "ECHILD", EAGAIN: "EAGAIN", ENOMEM: "ENOMEM", EACCES: "EACCES",
    EFAULT: "EFAULT", EBUSY: "EBUSY", EEXIST: "EEXIST", EXDEV: "EXDEV", ENODEV: "ENODEV", ENOTDIR: "ENOTDIR",
    EISDIR: "EISDIR", EINVAL: "EINVAL", ENFILE: "ENFILE", EMFILE: "EMFILE", ENOTTY: "ENOTTY", ETXTBSY: "ETXTBSY",
    EFBIG: "EFBIG", ENOSPC: "ENOSPC", ESPIPE: "ESPIPE", EROFS: "EROFS", EMLINK: "EMLINK", EPIPE: "EPIPE",
    ERANGE: "ERANGE", EDEADLK: "EDEADLK", ENAMETOOLONG: "ENAMETOOLONG", ENOSYS: "ENOSYS", ENOTEMPTY: "ENOTEMPTY",
    ELOOP: "ELOOP", ENODATA: "ENODATA", EPROTO: "EPROTO", EBADMSG: "EBADMSG", EOVERFLOW: "EOVERFLOW",
    EOPNOTSUPP: "EOPNOTSUPP", EADDRINUSE: "EADDRINUSE", ECONNRESET: "ECONNRESET", ENOTCONN: "ENOTCONN",
    ETIMEDOUT: "ETIMEDOUT", ECONNREFUSED: "ECONNREFUSED", ESTALE: "ESTALE", EDQUOT: "EDQUOT", ELIBBAD: "ELIBBAD",
    EMSGSIZE: "EMSGSIZE", EUSERS: "EUSERS", EADDRNOTAVAIL: "EADDRNOTAVAIL", ENETUNREACH: "ENETUNREACH",
    EAFNOSUPPORT: "EAFNOSUPPORT", EHOSTUNREACH: "EHOSTUNREACH", ENETDOWN: "ENETDOWN", ENOBUFS: "ENOBUFS",
  ]
}

/// Runs a call that returns -1 on failure, again when a signal interrupted it.
@inline(never)
package func retrying<T: FixedWidthInteger>(_ call: StaticString, _ body: () -> T) throws(Errno) -> T {
  while true {
    let result = body()
    if result != -1 { return result }
    let code = errno  // first thing after the call: nothing may run in between
    if code != EINTR { throw Errno(call, code: code) }
  }
}

/// The same for calls whose result says nothing more than that they worked.
@inline(never)
package func check(_ call: StaticString, _ body: () -> Int32) throws(Errno) { _ = try retrying(call, body) }
