import Glibc
import LinuxKernel

/// Everything that lives in the container besides init.
struct ProcessTree {
  /// The cgroup2 directory of the task's processes, where the host has cgroup2.
  let cgroup: SharedDescriptor?
  /// Init is pid 1 of a pid namespace of its own: what it can see is the container.
  let isNamespace: Bool

  /// SIGKILL to everything. In a namespace the kernel does the walk, and nothing that is being forked escapes it;
  /// without, what lives is looked for until a pass finds nothing.
  ///
  /// Not by `cgroup.kill`: on Linux 6.18 everything that is born into a cgroup by clone3(2) after that was written is
  /// killed as well, and the final processes are still to be born there. A frozen cgroup forks no more, and its
  /// processes can be killed all the same.
  func killAll() {
    if isNamespace { return Children.signal(-1, SIGKILL) }
    setFrozen(true)
    defer { setFrozen(false) }
    for _ in 0..<100 {
      let living = pids().filter { state(of: $0) != UInt8(ascii: "Z") }
      if living.isEmpty { return }
      for pid in living { Children.signal(pid, SIGKILL) }
    }
  }

  private func setFrozen(_ on: Bool) {
    guard let cgroup, let file = try? openFile("cgroup.freeze", O_WRONLY, at: cgroup.rawValue) else { return }
    try? file.writeAll(Array((on ? "1" : "0").utf8))
  }

  /// A signal to every process that belongs to none of the groups: daemons that left their session.
  func signal(_ signal: Int32, except groups: Set<Int32>) {
    for pid in strays(groups) { Children.signal(pid, signal) }
  }

  /// Whether a sender of a signal is one of the container's. From a namespace nobody outside can be seen: such a sender
  /// has the pid 0 there.
  func isInside(_ pid: Int32) -> Bool { isNamespace ? pid != 0 : pids().contains(pid) }

  /// How many processes belong to none of the groups. Those that have ended and are not reaped do not count.
  func count(except groups: Set<Int32>) -> Int {
    strays(groups).count { state(of: $0) != UInt8(ascii: "Z") }
  }

  private func strays(_ groups: Set<Int32>) -> [Int32] {
    pids().filter { pid in groupAndParent(of: pid).map { !groups.contains($0.group) } ?? false }
  }

  /// SIGKILL to every process that can write into one of the pipes.
  func killHolders(of pipes: [SharedDescriptor]) {
    let wanted = Set(pipes.compactMap { try? status(of: $0.rawValue).inode }.map { Array("pipe:[\($0)]".utf8) })
    for pid in pids() {
      let folder = "/proc/\(pid)/fd"
      guard let descriptors = try? entries(of: folder) else { continue }
      let holds = descriptors.contains { entry in
        // By the link's own text (proc(5)). To follow it would ask the file system of whatever else a task has open, and
        // one of its own (FUSE) need never answer: init would stand still.
        guard let name = String(validating: entry.name, as: UTF8.self) else { return false }
        let link = "\(folder)/\(name)"
        guard (try? readSymbolicLink(link)).map(wanted.contains) ?? false else { return false }
        // Who can write. A child of ours that is about to be let go has every reading end, as init has (proc(5): the
        // link's own mode says how the file was opened).
        return (try? status(of: link)).map { $0.permissions & 0o200 != 0 } ?? false
      }
      if holds { Children.signal(pid, SIGKILL) }
    }
  }

  private func pids() -> [Int32] {
    let own = CurrentProcess.pid
    if let cgroup, let bytes = try? readFile("cgroup.procs", limit: 4 << 20, at: cgroup.rawValue) {
      return bytes.split(separator: UInt8(ascii: "\n")).compactMap { AccountFile.number(Array($0)) }
        .map { Int32(truncatingIfNeeded: $0) }.filter { $0 > 0 && $0 != own }
    }
    guard let folders = try? entries(of: "/proc") else { return [] }
    let all = folders.compactMap { AccountFile.number($0.name) }.map { Int32(truncatingIfNeeded: $0) }
      .filter { $0 > 0 && $0 != own }
    return isNamespace ? all : descendants(of: own, among: all)
  }

  /// Init adopts every orphan below it, so the parents of all that is the task's lead to it.
  private func descendants(of root: Int32, among all: [Int32]) -> [Int32] {
    var children: [Int32: [Int32]] = [:]
    for pid in all { if let parent = groupAndParent(of: pid)?.parent { children[parent, default: []].append(pid) } }
    var found = children[root] ?? []
    var next = 0
    while next < found.count {
      found += children[found[next]] ?? []
      next += 1
    }
    return found
  }

  private func groupAndParent(of pid: Int32) -> (group: Int32, parent: Int32)? {
    guard let fields = stat(of: pid), fields.count > 2, let parent = Int32(fields[1]), let group = Int32(fields[2])
    else { return nil }
    return (group, parent)
  }

  private func state(of pid: Int32) -> UInt8? { stat(of: pid)?.first?.utf8.first }

  /// `/proc/PID/stat` from its third field on (proc(5)): state, parent, group. The command name before may hold
  /// anything, so reading starts after the last parenthesis.
  private func stat(of pid: Int32) -> [String]? {
    guard let bytes = try? readFile("/proc/\(pid)/stat", limit: 8192),
      let end = bytes.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    return bytes[(end + 1)...].split(separator: UInt8(ascii: " ")).prefix(3).map { String(decoding: $0, as: UTF8.self) }
  }
}
