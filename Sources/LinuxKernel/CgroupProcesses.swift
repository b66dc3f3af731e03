import CLinux

extension CgroupDirectory {
  /// SIGKILL, from outside, to every process in it and in the cgroups below it: one by one, each held (pidfd_open(2))
  /// before it is looked for once more, so that none is hit that only has the number of one that was there.
  ///
  /// - Parameters:
  ///   - isMeant: asked of a process that is held.
  ///   - deadline: when it is given up; processes in a call that cannot be interrupted end later.
  /// - Returns: whether none is left.
  package func killEach(until deadline: UInt64, where isMeant: (Int32) -> Bool = { _ in true }) -> Bool {
    while true {
      let listed = processes().filter(isMeant)
      if listed.isEmpty { return true }
      var rest = Array(listed)[...]
      while !rest.isEmpty {
        var held: [(pid: Int32, handle: SharedDescriptor)] = []
        for pid in rest.prefix(Self.batch) {
          if let handle = try? openProcess(pid) { held.append((pid, SharedDescriptor(handle))) }
        }
        rest = rest.dropFirst(Self.batch)
        let members = processes()
        for (pid, handle) in held where members.contains(pid) && isMeant(pid) {
          _ = ProcessHandle.signal(SIGKILL, handle.rawValue)
        }
        if Clock.now >= deadline { return false }
      }
      CurrentProcess.pause(milliseconds: 5)
    }
  }

  private static let batch = 1024
  /// A task that makes more than so many cgroups of its own below its own is killed with the container.
  private static let mostBelow = 10_000

  /// The processes in it and below it.
  private func processes() -> Set<Int32> {
    var found: Set<Int32> = []
    var pending = [path]
    var left = Self.mostBelow
    while let path = pending.popLast(), left > 0 {
      left -= 1
      var number: Int32 = 0
      for byte in (try? readFile(path + "/cgroup.procs", limit: 64 << 20)) ?? [] {
        if byte != UInt8(ascii: "\n") {
          number = number &* 10 &+ Int32(byte &- UInt8(ascii: "0"))
          continue
        }
        // 0 is a process of another pid namespace.
        if number > 0 { found.insert(number) }
        number = 0
      }
      for entry in (try? entries(of: path)) ?? [] where entry.isDirectory {
        if let name = String(validating: entry.name, as: UTF8.self) { pending.append(path + "/" + name) }
      }
    }
    return found
  }
}
