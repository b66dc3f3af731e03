import Glibc
import LaunchModel
import LinuxKernel

/// A second way to a container's init, for when a stranger has removed its control socket: a pair of sockets that init has
/// both ends of. Whoever may trace init takes a copy of the end that it does not read (pidfd_getfd(2)) and hands it a new
/// listening socket there.
package struct InitEntrance {
  /// What comes in.
  let channel: InitChannel
  /// The end that others take. The kernel numbers it after the other one.
  private let outside: SharedDescriptor

  init() throws(Errno) {
    let pair = try UnixSocket.pair(.sequencedPackets)
    channel = try InitChannel(pair.first)
    outside = pair.second
  }

  /// The entrance of an init, from outside; `nil` when it has none, as one that an older executor has started.
  package static func find(of pid: Int32, _ pidfd: Int32) throws(Errno) -> InitEntrance.Outside? {
    try search(of: pid, pidfd).map { (socket) throws(Errno) in Outside(channel: try InitChannel(socket)) }
  }

  /// The outer end.
  package struct Outside {
    fileprivate let channel: InitChannel

    /// Has init listen at a path where nothing is.
    package func listen(at path: String) throws(Errno) {
      let listener = SharedDescriptor(try UnixSocket.listen(path, kind: .sequencedPackets))
      try channel.send(InitRequest.listen, descriptors: [listener])
      guard channel.hasUnsent else { return }
      try removeFile(path)
      throw Errno("sendmsg", code: EAGAIN)
    }
  }

  private static func search(of pid: Int32, _ pidfd: Int32) throws(Errno) -> SharedDescriptor? {
    let numbers = try entries(of: "/proc/\(pid)/fd").compactMap { Int32(String(decoding: $0.name, as: UTF8.self)) }
    for number in numbers.sorted(by: >) {
      // Copied by the handle: whoever has the number, it is a descriptor of this process or none.
      let copy: FileDescriptor
      do throws(Errno) { copy = try ProcessHandle.copy(number, from: pidfd) } catch  where error.code == EBADF {
        continue
      }
      if UnixSocket.isOwnPair(copy, of: pid) { return SharedDescriptor(copy) }
    }
    return nil
  }
}
