import Glibc
import LinuxKernel

/// What init has to do with all processes of the container, however many the task has made: a slice at a time, so that it
/// goes on starting, reaping and answering in between.
final class TreeWork {
  private let tree: ProcessTree
  /// Whether a process group, or its leader to be, is a run's: the others are nobody's.
  private let isRun: (Int32) -> Bool
  private var kill: KillWalk?
  /// Whether everything is being killed, with the tree frozen.
  var isKilling: Bool { kill != nil }
  private var signals: [(signal: Int32, walk: StrayWalk)] = []
  private var count: StrayWalk?
  private var isCountedAgain = false
  private var countBegan: UInt64 = 0
  /// What the last count took of init's time, and when the next may begin.
  private var nextCount: UInt64 = 0
  private var searches: [HolderSearch] = []
  /// Others have their turn until then.
  private var restsUntil: UInt64 = 0

  /// How long it may be at it at once, and how long others have their turn then.
  private static let slice: UInt64 = 15_000_000
  private static let pause: UInt64 = 25_000_000

  init(_ tree: ProcessTree, isRun: @escaping (Int32) -> Bool) {
    (self.tree, self.isRun) = (tree, isRun)
  }

  /// SIGKILL to everything. In a namespace the kernel does the walk, and nothing that is being forked escapes it.
  func killAll() {
    searches = []
    if tree.isNamespace { return Children.signal(-1, SIGKILL) }
    if kill == nil { kill = KillWalk(tree) }
  }

  /// Everything is gone, and something new may come.
  func endKilling() { kill = nil }

  /// A signal to every process that belongs to no run: daemons that left their session.
  func signalStrays(_ signal: Int32) { signals.append((signal, StrayWalk(tree, isRun))) }

  /// Asks for the number of those that are left.
  func countStrays() {
    if count == nil { beginCount() } else { isCountedAgain = true }
  }

  private func beginCount() {
    isCountedAgain = false
    count = StrayWalk(tree, isRun)
    countBegan = Clock.now
  }

  /// SIGKILL to every process that can write into one of the pipes, until `end` at the longest.
  func searchHolders(of pipes: [SharedDescriptor], until end: UInt64) {
    let inodes = pipes.compactMap { try? status(of: $0.rawValue).inode }
    // Ends that come together are one search.
    if let last = searches.last, !last.hasBegun {
      last.add(inodes, until: end)
    } else {
      searches.append(HolderSearch(tree, inodes, until: end))
    }
  }

  /// Nobody waits for who holds these any more.
  func forget(_ pipes: [SharedDescriptor]) {
    guard !searches.isEmpty else { return }
    let inodes = pipes.compactMap { try? status(of: $0.rawValue).inode }
    for search in searches { search.forget(inodes) }
    searches.removeAll(where: \.isDone)
  }

  struct Report {
    /// How many strays there are, when that has been found out.
    var strays: Int?
    /// When to go on; nil when there is nothing left to do.
    var next: UInt64?
  }

  func goOn() -> Report {
    var report = Report()
    let begin = Clock.now
    guard begin >= restsUntil else {
      report.next = restsUntil
      return report
    }
    let end = begin + TreeWork.slice
    if let kill, kill.goOn(until: end) { self.kill = nil }
    while let (signal, walk) = signals.first {
      guard walk.goOn(until: end, signalling: signal) else { break }
      signals.removeFirst()
    }
    // Counted when they have been told: not before, and not at the price of everything else.
    if signals.isEmpty, let count, Clock.now >= nextCount, count.goOn(until: end, signalling: nil) {
      report.strays = count.found
      let now = Clock.now
      nextCount = now + min(now - countBegan, TreeWork.slice) * 9
      self.count = nil
      if isCountedAgain { beginCount() }
    }
    // What has not had its first look, which finds nearly all, comes before what is thorough.
    for search in searches.filter({ !$0.isThorough }) + searches.filter(\.isThorough) where Clock.now < end {
      search.goOn(until: end)
    }
    searches.removeAll(where: \.isDone)
    if Clock.now >= end { restsUntil = Clock.now + TreeWork.pause }
    if kill != nil || !signals.isEmpty || !searches.isEmpty {
      report.next = max(restsUntil, Clock.now)
    } else if count != nil {
      report.next = max(restsUntil, nextCount)
    }
    return report
  }
}

/// One walk over the processes that belong to no run.
private final class StrayWalk {
  private let tree: ProcessTree
  private let listing: ProcessListing
  private let isRun: (Int32) -> Bool
  private var batch: [Int32] = []
  /// Those that have ended and are not reaped do not count.
  private(set) var found = 0

  init(_ tree: ProcessTree, _ isRun: @escaping (Int32) -> Bool) {
    (self.tree, self.isRun) = (tree, isRun)
    listing = ProcessListing(tree)
  }

  /// - Returns: whether it has come to the end.
  func goOn(until end: UInt64, signalling signal: Int32?) -> Bool {
    while true {
      switch listing.next() {
      case .process(let pid):
        // A run that was forked a moment ago may not lead its group yet.
        guard let look = ProcessTree.look(at: pid), !isRun(look.group), !isRun(pid) else { break }
        if !look.isEnded { found += 1 }
        guard let signal else { break }
        batch.append(pid)
        if batch.count >= ProcessTree.batch { send(signal) }
      case .more: break
      case .end:
        if let signal { send(signal) }
        return true
      }
      if Clock.now >= end { return false }
    }
  }

  private func send(_ signal: Int32) {
    tree.send(signal, to: batch)
    batch = []
  }
}

/// SIGKILL to everything where no kill(2) can say so: what lives is looked for until a pass finds nothing.
///
/// Not by `cgroup.kill`: on Linux 6.18 everything that is born into a cgroup by clone3(2) after that was written is
/// killed as well, and the final processes are still to be born there. A frozen cgroup forks no more, and its processes
/// can be killed all the same.
private final class KillWalk {
  private let tree: ProcessTree
  private var listing: ProcessListing
  private var batch: [Int32] = []
  private var hasKilled = false
  private let deadline = Clock.now + 5_000_000_000

  init(_ tree: ProcessTree) {
    self.tree = tree
    tree.setFrozen(true)
    listing = ProcessListing(tree)
  }

  deinit { tree.setFrozen(false) }

  func goOn(until end: UInt64) -> Bool {
    while Clock.now < end {
      switch listing.next() {
      case .process(let pid):
        guard ProcessTree.look(at: pid)?.isEnded == false else { continue }
        batch.append(pid)
        if batch.count >= ProcessTree.batch { send() }
      case .more: continue
      case .end:
        send()
        guard hasKilled, Clock.now < deadline else { return true }
        hasKilled = false
        listing = ProcessListing(tree)
      }
    }
    return Clock.now >= deadline
  }

  private func send() {
    hasKilled = hasKilled || !batch.isEmpty
    tree.send(SIGKILL, to: batch)
    batch = []
  }
}
