import Images
import LinuxKernel
import Registry
import TaskModel

/// Shows how a pull gets on: a line for whatever is new, and on a terminal one that is written over while bytes come.
package struct PullView {
  private let name: String
  private let isTerminal: Bool
  private let write: ([UInt8]) -> Void
  private var isLineOpen = false
  private var shownAt: UInt64 = 0
  private var begun: UInt64?
  private var last = ""

  private static let interval: UInt64 = 200_000_000
  /// Return, and erase to the end of the line (ECMA-48).
  private static let lineStart = Array("\r\u{1b}[K".utf8)

  package init(
    _ name: String, isTerminal: Bool = StandardStream.isTerminal(2),
    write: @escaping ([UInt8]) -> Void = { StandardStream.write($0, to: 2) }
  ) {
    self.name = name
    self.isTerminal = isTerminal
    self.write = write
  }

  package mutating func take(_ progress: PullProgress, at now: UInt64 = Clock.now) {
    switch progress {
    case .waiting: line("another pull of it is under way: waiting for that")
    case .resolved(let digest): line("\(digest)")
    case .present: line("the store has it")
    case .layers(let missing, let all, let bytes):
      begun = now
      line(
        missing == 0
          ? "the store has all \(all) layers" : "\(missing) of \(all) layers to fetch, \(Quantity.bytes(bytes))")
    case .fetched(let digest, let bytes): line("layer \(digest.short): \(Quantity.bytes(bytes))")
    case .retrying(let what, let why, let milliseconds):
      let seconds = "\(milliseconds / 1000).\(milliseconds % 1000 / 100)"
      line("\(what): \(why): once more in \(seconds) s")
    case .importing(let progress): line(progress.text, isTold: true)
    case .fetching(let bytes, let total): count(bytes, of: total, at: now)
    }
  }

  /// - Parameter isTold: it has the image's name already.
  private mutating func line(_ text: String, isTold: Bool = false) {
    let text = isTold ? text : "\(name): \(text)"
    guard text != last else { return }
    last = text
    finish()
    write(terminalSafe(Array((text + "\n").utf8)))
  }

  private mutating func count(_ bytes: UInt64, of total: UInt64, at now: UInt64) {
    guard isTerminal, total > 0, now >= shownAt + PullView.interval else { return }
    shownAt = now
    isLineOpen = true
    let passed = max(now - (begun ?? now), 1_000_000)
    let rate = UInt64(Double(bytes) / (Double(passed) / 1e9))
    let filled = Int(min(bytes, total) * 30 / total)
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled)
    write(
      PullView.lineStart
        + Array("  [\(bar)] \(Quantity.bytes(bytes)) / \(Quantity.bytes(total)), \(Quantity.bytes(rate))/s".utf8))
  }

  /// Takes the line away: what comes next stands on its own.
  package mutating func finish() {
    guard isLineOpen else { return }
    isLineOpen = false
    write(PullView.lineStart)
  }
}

extension ImportProgress {
  /// For people: `debian:bookworm: unpacking layer 2 of 5`.
  package var text: String {
    let name = image.isEmpty ? "" : image + ": "
    switch phase {
    case .copying: return name + "reading standard input"
    case .decompressing: return name + "decompressing the archive"
    case .inspecting: return name + "reading the archive"
    case .unpacking:
      if layersDone == layers { return name + "\(layers) of \(layers) layers unpacked" }
      return name + "unpacking layer \(layersDone + 1) of \(layers), " + Quantity.bytes(bytesTotal)
    case .storing: return name + "storing"
    }
  }
}
