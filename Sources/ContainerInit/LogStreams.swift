import Glibc
import LaunchModel
import LinuxKernel

/// The two streams of a run, made from the descriptors that came with the request.
struct LogStreams {
  /// What becomes the process' standard output and standard error.
  let output: SharedDescriptor
  let errors: SharedDescriptor
  /// What init has to move, when the streams are pipes.
  let pumps: [LogPump]

  /// - Parameter restrictions: whose processes they are. `echo > /dev/stdout` opens the pipe anew, which its owner may.
  /// - Parameter null: opened before there was a process of the task: its names are no longer to be trusted.
  init(
    _ mode: LogMode, _ descriptors: [SharedDescriptor], for restrictions: Restrictions, null: SharedDescriptor
  ) throws(Errno) {
    switch mode {
    case .direct:
      guard descriptors.count == 2 else { throw Errno("recvmsg", code: EBADMSG) }
      (output, errors) = (descriptors[0], descriptors[1])
      pumps = []
    case .files(let maximumBytes, let backups):
      guard descriptors.count == 3 else { throw Errno("recvmsg", code: EBADMSG) }
      let (first, second) = (try makePipe(), try makePipe())
      (output, errors) = (first.second, second.second)
      if restrictions.changesUser {
        for end in [output, errors] {
          defer { withExtendedLifetime(end) {} }
          try changeOwner(of: end.rawValue, uid: restrictions.identity.uid, gid: restrictions.identity.gid)
        }
      }
      pumps = [
        try LogPump(
          pipe: first.first, file: descriptors[1], directory: descriptors[0], name: "stdout",
          maximumBytes: maximumBytes, backups: backups),
        try LogPump(
          pipe: second.first, file: descriptors[2], directory: descriptors[0], name: "stderr",
          maximumBytes: maximumBytes, backups: backups),
      ]
    case .discard:
      (output, errors) = (null, null)
      pumps = []
    }
  }
}
