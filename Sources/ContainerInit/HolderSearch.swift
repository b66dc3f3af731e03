import Glibc
import LinuxKernel

/// Looks for processes that can write into pipes whose run has ended, and kills them: a child that still holds the log
/// goes with the run.
///
/// First by the descriptors that a child inherits, 1 and 2, of every process; then by all of them. A task can make the
/// second take as long as it likes, so it is done in slices and ends when the streams are cut off anyway.
final class HolderSearch {
  private let tree: ProcessTree
  private var wanted: Set<UInt64>
  private var end: UInt64
  private var listing: ProcessListing?
  /// Whether the first look has been taken.
  private(set) var isThorough = false
  private(set) var isDone = false
  /// The process whose descriptors are being gone through.
  private var open: (pid: Int32, directory: SharedDescriptor)?
  private var batch: [Int32] = []
  /// Some forty links at a time: reading one takes a microsecond or two, more where the processor is shared.
  private var buffer = [UInt8](repeating: 0, count: 1024)

  init(_ tree: ProcessTree, _ pipes: [UInt64], until end: UInt64) {
    (self.tree, wanted, self.end) = (tree, Set(pipes), end)
  }

  var hasBegun: Bool { listing != nil }

  func add(_ pipes: [UInt64], until end: UInt64) {
    wanted.formUnion(pipes)
    self.end = max(self.end, end)
  }

  func forget(_ pipes: [UInt64]) {
    wanted.subtract(pipes)
    if wanted.isEmpty { isDone = true }
  }

  func goOn(until slice: UInt64) {
    let begun = listing ?? ProcessListing(tree)
    listing = begun
    while !isDone {
      let now = Clock.now
      if now >= end {
        isDone = true
      } else if now >= slice {
        break
      } else if let open {
        if lookOn(open.pid, open.directory) { self.open = nil }
      } else {
        step(listing ?? begun)
      }
    }
    kill()
  }

  private func step(_ listing: ProcessListing) {
    switch listing.next() {
    case .process(let pid):
      guard let directory = try? openFile("/proc/\(pid)/fd", O_RDONLY | O_DIRECTORY) else { return }
      if isThorough {
        open = (pid, SharedDescriptor(directory))
      } else if holds("1", directory.rawValue) || holds("2", directory.rawValue) {
        found(pid)
      }
    case .more: break
    case .end:
      kill()
      if isThorough { isDone = true } else { (isThorough, self.listing) = (true, ProcessListing(tree)) }
    }
  }

  /// - Returns: whether nothing is left to be seen of the process.
  private func lookOn(_ pid: Int32, _ directory: SharedDescriptor) -> Bool {
    var isHolder = false
    let hasMore = try? forSomeEntries(of: directory.rawValue, buffer: &buffer) { name, _ in
      isHolder = holds(name, directory.rawValue)
      return !isHolder
    }
    if isHolder { found(pid) }
    return isHolder || hasMore != true
  }

  /// Who can write. A child of ours that is about to be let go has every reading end, as init has.
  private func holds(_ name: some KernelPath, _ directory: Int32) -> Bool {
    guard let pipe = OpenDescriptors.pipe(name, at: directory), wanted.contains(pipe) else { return false }
    return OpenDescriptors.isWritable(name, at: directory)
  }

  private func found(_ pid: Int32) {
    batch.append(pid)
    if batch.count >= ProcessTree.batch { kill() }
  }

  private func kill() {
    guard !batch.isEmpty else { return }
    tree.send(SIGKILL, to: batch)
    batch = []
  }
}
