import Glibc
import LinuxKernel

/// Everything that lives in the container besides init.
struct ProcessTree {
  /// The cgroup2 directory of the task's processes, where the host has cgroup2.
  let cgroup: SharedDescriptor?
  /// Init is pid 1 of a pid namespace of its own: what it can see is the container.
  let isNamespace: Bool

  /// Stops all that is in the cgroup, or lets it go on.
  func setFrozen(_ on: Bool) {
    guard let cgroup, let file = try? openFile("cgroup.freeze", O_WRONLY, at: cgroup.rawValue) else { return }
    try? file.writeAll(Array((on ? "1" : "0").utf8))
  }

  /// Sends a signal to processes of the container that were listed a moment ago. In a namespace of our own a number can
  /// mean nobody else's; in a shared one it may by now, so each is held first (pidfd_open(2)), and then looked for.
  func send(_ signal: Int32, to pids: [Int32]) {
    if isNamespace {
      for pid in pids { Children.signal(pid, signal) }
      return
    }
    var held: [(pid: Int32, handle: SharedDescriptor)] = []
    for pid in pids { if let handle = try? openProcess(pid) { held.append((pid, SharedDescriptor(handle))) } }
    // One that has ended since has its number no more, or its handle reaches nobody.
    let members = members(among: Set(held.map(\.pid)))
    for (pid, handle) in held where members.contains(pid) { _ = ProcessHandle.signal(signal, handle.rawValue) }
  }

  /// How many processes are looked for together.
  static let batch = 64

  private func members(among pids: Set<Int32>) -> Set<Int32> {
    guard cgroup != nil else { return pids.filter(isDescendant) }
    var found: Set<Int32> = []
    let listing = ProcessListing(self)
    while found.count < pids.count {
      switch listing.next() {
      case .process(let pid): if pids.contains(pid) { found.insert(pid) }
      case .more: continue
      case .end: return found
      }
    }
    return found
  }

  private func isDescendant(_ pid: Int32) -> Bool {
    let own = CurrentProcess.pid
    var pid = pid
    // Longer chains than this are nobody's that has to be signalled at once: they end from the top.
    for _ in 0..<10_000 {
      guard let parent = ProcessTree.look(at: pid)?.parent, parent > 1 else { return false }
      if parent == own { return true }
      pid = parent
    }
    return false
  }

  /// Whether a sender of a signal is one of the container's. From a namespace nobody outside can be seen: such a sender
  /// has the pid 0 there.
  func isInside(_ pid: Int32) -> Bool {
    if isNamespace { return pid != 0 }
    // One that has ended and is not reaped is in no cgroup's list any more.
    return pid > 0 && (isDescendant(pid) || !members(among: [pid]).isEmpty)
  }

  /// What there is to know of a process.
  struct Look {
    let isEnded: Bool
    let parent: Int32
    let group: Int32
  }

  /// `/proc/PID/stat` from its third field on (proc(5)): state, parent, group. The command name before may hold
  /// anything, so reading starts after the last parenthesis.
  static func look(at pid: Int32) -> Look? {
    guard let bytes = try? readFile("/proc/\(pid)/stat", limit: 8192),
      let end = bytes.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "), maxSplits: 3)
    guard fields.count > 3, let state = fields[0].first, let parent = Int32(String(decoding: fields[1], as: UTF8.self)),
      let group = Int32(String(decoding: fields[2], as: UTF8.self))
    else { return nil }
    return Look(isEnded: state == UInt8(ascii: "Z") || state == UInt8(ascii: "X"), parent: parent, group: group)
  }
}
