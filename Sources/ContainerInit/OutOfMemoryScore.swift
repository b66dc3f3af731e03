import Glibc
import LinuxKernel

/// Which of a container's processes the kernel kills first when memory runs out, as far as that is init
/// (`/proc/self/oom_score_adj`, proc(5)).
///
/// Root of a container may write there where nothing is mounted over it, as in an engine's container, and what is forked has
/// it from init. Back down to what a privileged process has set takes no capability.
final class OutOfMemoryScore {
  private let file: SharedDescriptor
  private let text: [UInt8]

  /// As it is now, before there is a process of the task's. `nil` where it cannot be had.
  init?() {
    guard let opened = try? openFile("/proc/self/oom_score_adj", O_RDWR | O_NOFOLLOW) else { return nil }
    file = SharedDescriptor(opened)
    guard let found = try? file.descriptor.read(upTo: 16, at: 0), !found.isEmpty else { return nil }
    text = found
  }

  /// Sets it back.
  func restore() { try? file.descriptor.writeAll(text) }
}
