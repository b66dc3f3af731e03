import Glibc
import LinuxKernel

/// The processes of a container besides init, found in pieces: a task may have a hundred thousand, and init has one
/// thread, which is to go on answering.
final class ProcessListing {
  enum Step {
    case process(Int32)
    /// Something was done, and there is more to do.
    case more
    case end
  }

  private enum Source {
    /// `cgroup.procs`, with the beginning of a number that was read.
    case cgroup(SharedDescriptor, UInt32)
    /// `/proc`, where all that is seen is the container.
    case namespace(SharedDescriptor)
    /// Processes and threads whose children are still to be asked for. Init adopts every orphan below it, so all that is
    /// the task's comes up.
    case descendants([Int32], threads: [String])
    case none
  }

  private var source: Source
  private var found: [Int32] = []
  private let own = CurrentProcess.pid
  private var buffer = [UInt8](repeating: 0, count: 32768)

  init(_ tree: ProcessTree) {
    if let cgroup = tree.cgroup, let file = try? openFile("cgroup.procs", O_RDONLY, at: cgroup.rawValue) {
      source = .cgroup(SharedDescriptor(file), 0)
    } else if tree.isNamespace {
      source = (try? SharedDescriptor(openFile("/proc", O_RDONLY | O_DIRECTORY))).map { .namespace($0) } ?? .none
    } else {
      source = .descendants([own], threads: [])
    }
  }

  /// The next process, or a piece of the work that finds it.
  func next() -> Step {
    if let pid = found.popLast() { return .process(pid) }
    switch source {
    case .cgroup(let file, let begun): return read(file, begun)
    case .namespace(let proc): return list(proc)
    case .descendants(let pending, let threads): return descend(pending, threads)
    case .none: return .end
    }
  }

  private func add(_ pid: Int32) { if pid > 0, pid != own { found.append(pid) } }

  private func read(_ file: SharedDescriptor, _ begun: UInt32) -> Step {
    guard let piece = (try? file.descriptor.read(upTo: 16384)) ?? nil, !piece.isEmpty else {
      source = .none
      return .end
    }
    var number = begun
    for byte in piece {
      if byte == UInt8(ascii: "\n") {
        add(Int32(truncatingIfNeeded: number))
        number = 0
      } else {
        number = number &* 10 &+ UInt32(byte &- UInt8(ascii: "0"))
      }
    }
    source = .cgroup(file, number)
    return .more
  }

  private func list(_ proc: SharedDescriptor) -> Step {
    let hasMore =
      (try? forSomeEntries(of: proc.rawValue, buffer: &buffer) { name, _ in
        if let pid = ProcessListing.number(name) { add(pid) }
        return true
      }) ?? false
    if !hasMore { source = .none }
    return .more
  }

  private func descend(_ pending: [Int32], _ threads: [String]) -> Step {
    var (pending, threads) = (pending, threads)
    if let thread = threads.popLast() {
      let children = (try? readFile(thread + "/children", limit: 64 << 20)) ?? []
      for word in children.split(separator: UInt8(ascii: " ")) {
        guard let pid = Int32(String(decoding: word, as: UTF8.self)) else { continue }
        pending.append(pid)
        add(pid)
      }
    } else if let pid = pending.popLast() {
      threads = ((try? entries(of: "/proc/\(pid)/task")) ?? []).map {
        "/proc/\(pid)/task/" + String(decoding: $0.name, as: UTF8.self)
      }
    } else {
      source = .none
      return .end
    }
    source = .descendants(pending, threads: threads)
    return .more
  }

  /// A name of `/proc` that is a process'.
  private static func number(_ name: RawPath) -> Int32? {
    var value: Int32 = 0
    var length = 0
    while name.pointer[length] != 0 {
      let digit = UInt8(bitPattern: name.pointer[length]) &- UInt8(ascii: "0")
      guard digit < 10, length < 9 else { return nil }
      value = value * 10 + Int32(digit)
      length += 1
    }
    return length > 0 ? value : nil
  }
}
