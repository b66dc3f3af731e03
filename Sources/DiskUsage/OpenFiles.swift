import Glibc
import LinuxKernel

/// Files and directories that processes use and that have no name any more: no walk over directories finds them, and they take
/// their room until nobody has them open, mapped, is executed from them or is in them (proc(5), `/proc/PID/fd`, `maps`, `exe`,
/// `cwd`, `root`).
package struct OpenFiles {
  /// The file systems that count.
  private var devices: Set<UInt64>
  /// The container's root, as it was mounted: on an overlay each layer's files may have a device number of their own.
  private let rootMount: UInt64?
  private var entriesLeft: Int
  private let end: UInt64
  private var isCut = false
  private var seen: Set<Key> = []
  /// Mapped files that were looked at, as the lists of mappings name them.
  private var mapped: Set<[UInt8]> = []
  private let counted: DiskTree.Counted
  private let makeRule: () -> DeletedFileRule
  /// Most tasks have no deleted file, and mounts are many.
  private lazy var rule = makeRule()
  private var bytes: UInt64 = 0
  private var files: UInt64 = 0
  /// Whether a process, or a table of descriptors, was gone when it was to be looked at.
  private var hasMissed = false

  package struct Found {
    package var bytes: UInt64
    package var files: UInt64
    /// Whether processes came or went meanwhile, so that something may have been missed.
    package var isChanging: Bool
    /// Whether the time was up before all was looked at.
    package var isCut: Bool
  }

  /// More than this is not looked at: a task makes descriptors for next to nothing, and each costs who looks.
  package static let most = 2_000_000
  /// Longer than this is not looked for them: what has a name waits meanwhile.
  package static let longest: UInt64 = 3_000_000_000

  private struct Key: Hashable {
    let device: UInt64
    let inode: UInt64
    init(_ about: FileStatus) { (device, inode) = (about.device, about.inode) }
  }

  /// What they take, of all processes below `pid`; `nil` when there is more to look at than `entries`.
  ///
  /// What a process hands to another meanwhile may be missed. The root of the container counts as well where its writable layer
  /// does. It is that of its init: every other process may have gone into another.
  ///
  /// - Parameters:
  ///   - roots: what is measured of the task, and so is its own.
  ///   - user: the only one whose files it can make; `nil` where it may make anybody's.
  ///   - end: the instant (`Clock.now`) from which on nothing more is looked at.
  package static func bytes(
    _ counted: DiskTree.Counted, below pid: Int32, of roots: [DiskTree.Root], madeBy user: UInt32?, entries: Int,
    until end: UInt64 = .max
  ) -> Found? {
    let countsRoot = roots.contains(where: \.isWritableLayer)
    let devices = Set(roots.compactMap { (try? status(of: $0.directory.rawValue))?.device })
    let root = countsRoot ? try? status(of: "/proc/\(pid)/root", followLinks: true) : nil
    var files = OpenFiles(
      counted, devices: devices.union(root.map { [$0.device] } ?? []), rootMount: root?.mountID, entriesLeft: entries,
      end: end, rule: { DeletedFileRule(initPID: pid, roots, user: user) })
    // A process that is not executed yet is init's program, which may have been replaced.
    if let program = try? status(of: "/proc/\(pid)/exe", followLinks: true, asksOthers: false) {
      files.seen.insert(Key(program))
    }
    var known: Set<Int32> = [pid]
    var pending = files.threads(of: pid).flatMap { OpenFiles.children($0.path) }
    while !files.isCut, let process = pending.popLast() {
      guard known.insert(process).inserted else { continue }
      // Without the right to look at init (CAP_SYS_PTRACE) theirs is what can be known.
      if countsRoot, root == nil, let own = try? status(of: "/proc/\(process)/root", followLinks: true) {
        files.devices.insert(own.device)
      }
      // Every thread may have a table of its own, and the first may have ended before the others; all have one memory.
      var hasMappings = false
      var tables: [Int32] = []
      for thread in files.threads(of: process) {
        guard !files.isLate else { break }
        pending += children(thread.path)
        if !tables.contains(where: { OpenDescriptors.areShared($0, thread.id) }) {
          // Who has one of his own is seldom one of many.
          if tables.count < 8 { tables.append(thread.id) }
          files.look(thread.path + "/fd")
        }
        files.lookAtPlaces(of: thread.path)
        if !hasMappings { hasMappings = files.lookAtMappings(of: thread.number) }
        guard files.entriesLeft >= 0 else { return nil }
      }
    }
    let isCalm = !files.isCut && !files.hasMissed && files.all(below: pid) == known.subtracting([pid])
    return Found(bytes: files.bytes, files: files.files, isChanging: !isCalm, isCut: files.isCut)
  }

  /// The processes below one, as they are now.
  private mutating func all(below pid: Int32) -> Set<Int32> {
    var known: Set<Int32> = []
    var pending = [pid]
    while let process = pending.popLast() {
      for thread in threads(of: process) {
        pending += OpenFiles.children(thread.path).filter { known.insert($0).inserted }
      }
    }
    return known
  }

  private init(
    _ counted: DiskTree.Counted, devices: Set<UInt64>, rootMount: UInt64?, entriesLeft: Int, end: UInt64,
    rule: @escaping () -> DeletedFileRule
  ) {
    self.counted = counted
    makeRule = rule
    self.devices = devices
    // Before Linux 5.8 the kernel does not say.
    self.rootMount = rootMount == 0 ? nil : rootMount
    self.entriesLeft = entriesLeft
    self.end = end
  }

  /// Whether the time is up, which is then known.
  private var isLate: Bool {
    mutating get {
      if Clock.now >= end { isCut = true }
      return isCut
    }
  }

  private mutating func threads(of pid: Int32) -> [(id: Int32, number: String, path: String)] {
    let found = (try? entries(of: "/proc/\(pid)/task")) ?? []
    if found.isEmpty { hasMissed = true }
    entriesLeft -= found.count
    return found.map {
      let number = String(decoding: $0.name, as: UTF8.self)
      return (Int32(number) ?? 0, number, "/proc/\(pid)/task/" + number)
    }
  }

  /// Whether there is anybody to look at; that waits for nobody.
  package static func hasProcesses(below pid: Int32) -> Bool {
    ((try? entries(of: "/proc/\(pid)/task")) ?? []).contains { thread in
      !children("/proc/\(pid)/task/" + String(decoding: thread.name, as: UTF8.self)).isEmpty
    }
  }

  /// The processes that a thread has made, or that were left to it.
  package static func children(_ thread: String) -> [Int32] {
    ((try? readFile(thread + "/children", limit: 64 << 20)) ?? []).split(separator: UInt8(ascii: " "))
      .compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
  }

  private mutating func look(_ path: String) {
    guard let directory = try? openFile(path, O_RDONLY | O_DIRECTORY) else {
      hasMissed = true
      return
    }
    let number = directory.rawValue
    try? forEachEntry(of: number) { name, _ in
      entriesLeft -= 1
      guard entriesLeft >= 0, !isLate else { return false }
      if OpenFiles.isDeleted(name, at: number) { count(name, at: number, linkTellsMode: true) }
      return true
    }
  }

  /// Where a thread is, and what it takes for the root.
  private mutating func lookAtPlaces(of thread: String) {
    for place in [thread + "/cwd", thread + "/root"] where OpenFiles.isDeleted(place) { count(place) }
  }

  /// What a process has mapped, and what it is executed from, which it need not have mapped any more.
  ///
  /// - Returns: whether the thread has a memory.
  private mutating func lookAtMappings(of thread: String) -> Bool {
    var mappings = FileMappings(ofThread: thread)
    let isAlive = mappings.forEach(until: end) { deleted in
      entriesLeft -= 1
      guard entriesLeft >= 0 else { return false }
      if let deleted, mapped.insert(deleted.identity).inserted { count(deleted.link, linkTellsMode: true) }
      return true
    }
    if mappings.isCut { isCut = true }
    let executable = "/proc/\(thread)/exe"
    if isAlive, OpenFiles.isDeleted(executable) { count(executable) }
    return isAlive
  }

  /// The kernel's own word first, and then what it knows: asking the file itself may mean to ask another host. Of a name that
  /// is too long it says nothing.
  private static func isDeleted(_ link: some KernelPath, at directory: Int32 = currentDirectory) -> Bool {
    let mark = Array(" (deleted)".utf8)
    do throws(Errno) {
      return try readSymbolicLink(link, at: directory).suffix(mark.count).elementsEqual(mark)
    } catch {
      return error.code == ENAMETOOLONG
    }
  }

  /// - Parameter linkTellsMode: whether the link itself may be read and written as the open file may.
  private mutating func count(
    _ link: some KernelPath, at directory: Int32 = currentDirectory, linkTellsMode: Bool = false
  ) {
    guard let about = try? status(of: link, at: directory, followLinks: true, asksOthers: false), about.links == 0,
      devices.contains(about.device) || about.mountID == rootMount, !seen.contains(Key(about)),
      rule.counts(
        about,
        isOpenForWriting: { linkTellsMode && ((try? status(of: link, at: directory))?.mode ?? 0o200) & 0o200 != 0 })
    else { return }
    seen.insert(Key(about))
    // A directory keeps the blocks that its names have taken when all of them are gone.
    bytes += about.isRegularFile ? counted.bytes(about) : about.blocks * 512
    files += 1
  }
}
