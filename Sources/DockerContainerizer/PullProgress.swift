import DockerEngineClient
import LinuxKernel
import TaskModel

/// Shows how a pull gets on: on a terminal one line that is written over, elsewhere a line for whatever a layer has come
/// to. Counting bytes is for terminals.
struct PullProgress {
  private let isTerminal: Bool
  private let write: ([UInt8]) -> Void
  private var layers: [String: Layer] = [:]
  private var shownAt: UInt64 = 0
  private var isLineOpen = false

  private struct Layer {
    var current: Int64 = 0
    var total: Int64 = 0
    var isDone = false
  }

  /// Names of more layers than an image can have are not kept.
  private static let limit = 512
  private static let interval: UInt64 = 100_000_000
  /// Return, and erase to the end of the line (ECMA-48).
  private static let lineStart = Array("\r\u{1b}[K".utf8)

  init(
    isTerminal: Bool = StandardStream.isTerminal(2),
    write: @escaping ([UInt8]) -> Void = { StandardStream.write($0, to: 2) }
  ) {
    self.isTerminal = isTerminal
    self.write = write
  }

  /// Takes one message of the engine.
  mutating func take(_ progress: EngineProgress, at now: UInt64 = Clock.now) {
    guard !progress.status.isEmpty else { return }
    if !isTerminal {
      guard progress.current == nil else { return }
      let layer = progress.id.isEmpty ? "" : printable(progress.id.utf8) + ": "
      return write(Array("  \(layer)\(printable(progress.status.utf8))\n".utf8))
    }
    let before = total
    if !progress.id.isEmpty { count(progress) }
    guard !layers.isEmpty, !isLineOpen || total != before || now >= shownAt + PullProgress.interval else { return }
    shownAt = now
    isLineOpen = true
    write(PullProgress.lineStart + Array(text.utf8))
  }

  /// Takes the line away: what comes next stands on its own.
  mutating func finish() {
    guard isLineOpen else { return }
    isLineOpen = false
    write(PullProgress.lineStart)
  }

  private mutating func count(_ progress: EngineProgress) {
    guard layers[progress.id] != nil || layers.count < PullProgress.limit else { return }
    switch progress.status {
    case "Downloading":
      layers[progress.id, default: Layer()].current = max(0, progress.current ?? 0)
      layers[progress.id, default: Layer()].total = max(0, progress.total ?? 0)
    case "Download complete": layers[progress.id, default: Layer()].current = layers[progress.id]?.total ?? 0
    case "Pull complete", "Already exists": layers[progress.id, default: Layer()].isDone = true
    // A message of any other kind is not about a layer: the first of a pull has its tag for an id.
    case "Pulling fs layer", "Waiting", "Verifying Checksum", "Extracting":
      layers[progress.id, default: Layer()].isDone = false
    default: break
    }
  }

  private var total: UInt64 { sum(\.total) }

  private func sum(_ part: (Layer) -> Int64) -> UInt64 {
    layers.values.reduce(UInt64(0)) { $0.addingReportingOverflow(UInt64(part($1))).partialValue }
  }

  /// `  2 of 5 layers, 12.3 MiB / 45.0 MiB`
  private var text: String {
    let bytes = total == 0 ? "" : ", \(Quantity.bytes(min(sum(\.current), total))) / \(Quantity.bytes(total))"
    return "  \(layers.values.count(where: \.isDone)) of \(layers.count) layers\(bytes)"
  }
}
