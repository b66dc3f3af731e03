import DiskUsage
import Glibc
import LinuxKernel

/// A container's init with all that descends from it, for a host on which neither a cgroup nor a pid namespace ends the rest
/// with init: without root.
struct InitTree {
  let pid: Int32
  let process: SharedDescriptor

  private static let timeout: UInt64 = 2_000_000_000

  /// SIGKILL to everything, init last. It is stopped first, for it would reap the others and write their ends down as if they
  /// had come of themselves; stopped, it also keeps its children's numbers from meaning others.
  func kill() {
    _ = ProcessHandle.signal(SIGSTOP, process.rawValue)
    let deadline = Clock.now + Self.timeout
    while Clock.now < deadline {
      var alive: [(pid: Int32, handle: SharedDescriptor)] = []
      for pid in descendants() {
        guard let handle = try? openProcess(pid), !ProcessHandle.hasEnded(handle.rawValue) else { continue }
        alive.append((pid, SharedDescriptor(handle)))
      }
      if alive.isEmpty { break }
      // Held now: one that still descends from init is the one that is meant.
      let members = Set(descendants())
      for (pid, handle) in alive where members.contains(pid) { _ = ProcessHandle.signal(SIGKILL, handle.rawValue) }
      CurrentProcess.pause(milliseconds: 5)
    }
    _ = ProcessHandle.signal(SIGKILL, process.rawValue)
  }

  private func descendants() -> [Int32] {
    var found: [Int32] = []
    var pending = [pid]
    while let next = pending.popLast() {
      let threads = (try? entries(of: "/proc/\(next)/task")) ?? []
      let children = threads.flatMap {
        OpenFiles.children("/proc/\(next)/task/" + String(decoding: $0.name, as: UTF8.self))
      }
      found += children
      pending += children
    }
    return found
  }
}
