import Glibc
import LinuxKernel

/// What waits to be written to one descriptor of the executor. Nothing here waits for who reads it.
///
/// Its size is bounded by who fills it: processes' output comes when it is empty, notes are left out when there are many,
/// status updates of a task are few.
final class OutputQueue {
  let name: String
  let descriptor: OutputDescriptor
  /// Whether status updates go here, which somebody may wait for.
  var hasUpdates: Bool
  /// Whoever reads it is done with it before the task has ended.
  var isForStarter = false
  private var unsent: ArraySlice<UInt8> = []
  private var isAtLineStart = true
  /// Notes that found no room, until that can be said.
  private var leftOut = 0
  /// Bytes that were ever put in.
  private(set) var accepted: UInt64 = 0
  /// When something was last written, or began to wait.
  private(set) var movedAt: UInt64 = 0

  /// Notes beyond this are left out.
  private static let roomForNotes = 65536

  init(_ name: String, _ descriptor: OutputDescriptor, hasUpdates: Bool) {
    (self.name, self.descriptor, self.hasUpdates) = (name, descriptor, hasUpdates)
  }

  var isEmpty: Bool { unsent.isEmpty }
  var count: Int { unsent.count }
  /// Bytes that nobody has to wait for any more.
  var written: UInt64 { accepted - UInt64(unsent.count) }

  /// Adds output of a process: as it is, but for a terminal, which would act on some of it.
  func show(_ bytes: [UInt8]) {
    add(descriptor.isTerminal ? terminalSafe(bytes) : bytes)
  }

  /// Adds a status update, on a line of its own whatever came before. It is never left out.
  func update(_ line: String) { add(line: line) }

  /// Adds lines for people; false when there is no room for more of that.
  @discardableResult func note(_ text: String) -> Bool {
    guard unsent.count < Self.roomForNotes else {
      leftOut += 1
      return false
    }
    if leftOut > 0 { add(line: "warning: \(leftOut) lines were left out here: nobody was reading") }
    leftOut = 0
    add(line: text)
    return true
  }

  /// Writes what is taken at once.
  func flush() {
    while !unsent.isEmpty {
      // Nobody reads any more, or the device is full: what is left has nowhere to go.
      // Who only looks may stop looking.
      let mayBeGone = !hasUpdates || isForStarter
      guard
        let taken = bestEffort(
          "write to \(name)", tolerating: mayBeGone ? EPIPE : 0, attempt: { try descriptor.write(unsent) })
      else { return discard() }
      guard taken > 0 else { return }
      movedAt = Clock.now
      unsent = unsent.dropFirst(taken)
    }
    unsent = []
  }

  /// Drops what waits.
  func discard() { unsent = [] }

  private func add(line: String) {
    add((isAtLineStart ? [] : [UInt8(ascii: "\n")]) + terminalSafe(Array((line + "\n").utf8)))
  }

  private func add(_ bytes: [UInt8]) {
    guard let last = bytes.last else { return }
    isAtLineStart = last == UInt8(ascii: "\n")
    if unsent.isEmpty { movedAt = Clock.now }
    unsent += bytes
    accepted += UInt64(bytes.count)
    flush()
  }
}
