import Glibc
import LaunchModel
import LinuxKernel

/// The hidden mode of the binary that measures large trees: `aurora-executor __measure PID COUNTED LIMIT MILLISECONDS USER LABEL …`,
/// beside a supervisor that must go on answering.
///
///     0, 2   /dev/null        1   a pipe for the result        3 …   the directories, one for each label
///
/// PID is the init of the processes whose open files are counted, too; 0 is none. COUNTED is what of a file counts. Where names
/// take more than LIMIT, and after so many MILLISECONDS, open files are not looked for; 0 for neither. Of deleted files those of USER alone are the task's where they may be somebody else's; `-` is anybody.
///
/// The result is one measurement, or two where open files are looked for: what names take, and then all. A process can have it wait
/// for its locks, so that a while after the time is up a signal ends it (SIGALRM), and the first of them stands.
///
/// All that it can do is read: it keeps no capability but those to look into any directory and to see what a process has
/// open and mapped, and it ends with its parent.
package final class DiskWorker {
  package static let mode = "__measure"

  package let output: SharedDescriptor
  private let child: ChildProcess
  private var received: [UInt8] = []
  private var isReaped = false
  private var isAbandoned = false

  /// - Parameter program: this one, which has the mode.
  package init(
    _ roots: [DiskTree.Root], counting counted: DiskTree.Counted, openFilesBelow process: Int32?,
    madeBy user: UInt32? = nil, limit: UInt64? = nil, until end: UInt64 = .max,
    program: String = CurrentProcess.program
  ) throws {
    let pipe = try makePipe()
    let null = try openFile("/dev/null", O_RDWR)
    var spawn = SpawnRequest(
      executable: .path(program),
      arguments: [
        "aurora-executor", DiskWorker.mode, String(process ?? 0), counted.rawValue, String(limit ?? 0),
        String(end == .max ? 0 : max(1, (end - min(end, Clock.now)) / 1_000_000)), user.map { String($0) } ?? "-",
      ] + roots.map(\.label),
      descriptors: [null.rawValue, pipe.second.rawValue, null.rawValue] + roots.map(\.directory.rawValue))
    spawn.newSession = true
    spawn.owners = [pipe.first, pipe.second] + roots.map(\.directory)
    spawn.parentDeathSignal = SIGKILL
    child = try spawn.spawn()
    try pipe.first.descriptor.setNonBlocking(true)
    output = pipe.first
  }

  deinit {
    guard !isReaped, !isAbandoned else { return }
    try? child.signal(SIGKILL)
    _ = try? child.wait()
  }

  /// Gives it up. It is not waited for: the file system that it hangs on may never answer. Whoever gives it up keeps it
  /// until it `hasEnded`.
  package func abandon() {
    try? child.signal(SIGKILL)
    isAbandoned = true
  }

  /// Readable when it has ended.
  package var end: Int32 { child.pidfd.rawValue }

  /// Whether it has; then nothing is left of it.
  package func hasEnded() -> Bool {
    isReaped = isReaped || child.reap()
    return isReaped
  }

  package enum State {
    case running
    case finished(DiskMeasurement)
    case failed(String)
  }

  /// Takes what it has said.
  package func take() -> State {
    do {
      while let piece = try output.descriptor.read(upTo: 65536) {
        received += piece
        // Three paths and a few numbers: more is not ours.
        guard received.count <= 65536 else { return .failed("its answer has no end") }
        guard piece.isEmpty else { continue }
        isReaped = true
        let status = try child.wait().status
        var found = try DiskWorker.measurements(received)
        switch status {
        case .exited(0): if let last = found.popLast() { return .finished(last) }
        case .signaled(SIGALRM):
          if var names = found.popLast() {
            names.isHeldUp = true
            return .finished(names)
          }
        default: break
        }
        return .failed("it ended with \(status)")
      }
      return .running
    } catch {
      return .failed("\(error)")
    }
  }

  /// Each with its length before it, in four bytes; the last may be cut.
  private static func measurements(_ bytes: [UInt8]) throws -> [DiskMeasurement] {
    var found: [DiskMeasurement] = []
    var rest = bytes[...]
    while rest.count >= 4 {
      let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
      guard rest.count - 4 >= length else { break }
      found.append(try DiskMeasurement(decoding: Array(rest.dropFirst(4).prefix(length))))
      rest = rest.dropFirst(4 + length)
    }
    return found
  }

  // MARK: In the worker

  private static let output = FileDescriptor(owning: 1)
  /// So much longer than its time a search may take that waits for nobody.
  private static let grace: UInt64 = 200

  private static func say(_ found: DiskMeasurement) throws(Errno) {
    let bytes = found.encoded
    try output.writeAll((0..<4).reversed().map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) } + bytes)
  }

  package static func main(_ arguments: [String]) -> Never {
    do throws(Errno) {
      CurrentProcess.setName("aurora-measure")
      let depth = raiseDepth()
      try restrict()
      let process = arguments.first.flatMap { Int32($0) }.flatMap { $0 > 0 ? $0 : nil }
      let numbers = arguments.dropFirst(2).prefix(2).map { UInt64($0).flatMap { $0 > 0 ? $0 : nil } }
      let end = numbers.last?.map { Clock.now + $0 * 1_000_000 } ?? .max
      let counted = arguments.dropFirst().first.flatMap { DiskTree.Counted(rawValue: $0) } ?? .blocks
      let user = arguments.dropFirst(4).first.flatMap { UInt32($0) }
      let roots = arguments.dropFirst(5).enumerated().map { index, label in
        DiskTree.Root(label: label, directory: SharedDescriptor(FileDescriptor(owning: Int32(3 + index))))
      }
      let bounds = DiskTree.Bounds(entries: .max, depth: depth - depth / 8, held: depth / 8)
      let found = try DiskTree.measure(
        roots, bounds, counting: counted, openFilesBelow: process, madeBy: user, limit: numbers.first ?? nil, until: end
      ) { (names) throws(Errno) in
        try say(names)
        let end = min(end, Clock.now + OpenFiles.longest)
        CurrentProcess.end(afterMilliseconds: (end - min(end, Clock.now)) / 1_000_000 + grace)
      }
      guard let found else { leave(1) }
      try say(found)
    } catch {
      leave(2)
    }
    leave(0)
  }

  /// Takes all the descriptors that may be had, and returns how deep they reach.
  private static func raiseDepth() -> Int {
    let wanted: UInt64 = 1 << 17
    if (try? OwnLimit.openFiles.set(wanted)) != nil { return Int(wanted) - 64 }
    DescriptorLimit.raise()
    return Int(clamping: DescriptorLimit.inherited.hard) - 64
  }

  private static func restrict() throws(Errno) {
    try OwnLimit.coreSize.set(0)
    try OwnLimit.addressSpace.set(1 << 30)
    try Credentials.setDumpable(false)
    if CurrentProcess.effectiveUser == 0 {
      // The last is for links to mapped files, from Linux 5.9 on; before, more than this process shall have is asked for it.
      let kept = Capabilities(
        ["DAC_READ_SEARCH", "SYS_PTRACE", "CHECKPOINT_RESTORE"].compactMap(Capabilities.init(name:))
      )
      .intersection(Credentials.effectiveCapabilities)
      try Credentials.limitBoundingSet(to: kept)
      try Credentials.setCapabilities(kept)
    }
    try Credentials.setNoNewPrivileges()
  }
}
