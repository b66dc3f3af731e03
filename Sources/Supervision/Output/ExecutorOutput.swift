import LinuxKernel

/// Where a run of a task writes: standard output, standard error and `--status-fd`, each with a queue.
///
/// Nobody who does not read holds up the task, or its end. Whoever has a poller watches `descriptor` and calls `goOn`;
/// before and after there is one, what is taken at once is written at once.
package final class ExecutorOutput {
  let output: OutputQueue
  let errors: OutputQueue
  /// `--status-fd`, and whoever waits for a detached task to run.
  let statuses: [OutputQueue]
  private let queues: [OutputQueue]
  private let poller: Poller
  private var watched: Set<Int32> = []

  /// How long who gets status updates may take nothing at the end, and how long that may last altogether.
  private static let timeout: UInt64 = 5_000_000_000
  private static let longest: UInt64 = 30_000_000_000
  /// The same for output that somebody looks at.
  private static let lookers: UInt64 = 1_000_000_000

  /// The two that every program has, by their numbers.
  struct Streams {
    var output: Int32
    var errors: Int32
    static let own = Streams(output: 1, errors: 2)
  }

  init(statuses numbers: [Int32], updatesOnOutput: Bool, streams: Streams = .own) throws(Errno) {
    poller = try Poller()
    var queues: [OutputQueue] = []
    // Two descriptors of one file, as after 2>&1, have one queue: a line of one is not put into a line of the other.
    func queue(_ name: String, _ number: Int32, hasUpdates: Bool) throws(Errno) -> OutputQueue {
      let descriptor = try OutputDescriptor(number)
      if let same = queues.first(where: {
        ($0.descriptor.device, $0.descriptor.inode) == (descriptor.device, descriptor.inode)
      }) {
        same.hasUpdates = same.hasUpdates || hasUpdates
        return same
      }
      queues.append(OutputQueue(name, descriptor, hasUpdates: hasUpdates))
      return queues[queues.count - 1]
    }
    output = try queue("standard output", streams.output, hasUpdates: updatesOnOutput)
    errors = try queue("standard error", streams.errors, hasUpdates: false)
    var statuses: [OutputQueue] = []
    for number in numbers { statuses.append(try queue("--status-fd", number, hasUpdates: true)) }
    self.statuses = statuses
    self.queues = queues
  }

  /// Readable when a queue can be gone on with; `watch` says which ones wait.
  var descriptor: Int32 { poller.number }

  /// Has the kernel tell when what waits can be written. Before every wait.
  func watch() {
    for queue in queues {
      let number = queue.descriptor.rawValue
      if queue.isEmpty {
        if watched.remove(number) != nil { try? poller.remove(number) }
      } else if !watched.contains(number) {
        do throws(Errno) {
          try poller.add(number, token: UInt64(number), read: false, write: true)
          watched.insert(number)
        } catch {
          // Something that says "not now" and cannot be waited for.
          queue.discard()
        }
      }
    }
  }

  func goOn() { for queue in queues { queue.flush() } }

  /// Waits until something can be written, or the time is over, and goes on.
  func wait(milliseconds: Int32) {
    watch()
    _ = try? poller.wait(timeoutMilliseconds: milliseconds)
    goOn()
  }

  /// Writes what is left, to those who read. What stays is said.
  package func finish() {
    let began = Clock.now
    while true {
      goOn()
      let now = Clock.now
      let deadlines = queues.filter { !$0.isEmpty }.map { deadline($0, began) }.filter { $0 > now }
      guard let next = deadlines.min() else { break }
      wait(milliseconds: Int32(clamping: (next - now) / 1_000_000 + 1))
    }
    for queue in queues where !queue.isEmpty && queue !== errors {
      let text = "warning: \(queue.name): \(queue.count) bytes could not be shown: nobody reads it"
      errors.note(queue.hasUpdates ? text + "; result.json has how the task ended" : text)
    }
  }

  private func deadline(_ queue: OutputQueue, _ began: UInt64) -> UInt64 {
    // Who has not looked for a while is not waited for again.
    guard queue.hasUpdates else { return min(queue.movedAt + Self.lookers, began + Self.lookers) }
    return min(max(queue.movedAt, began) + Self.timeout, began + Self.longest)
  }
}
