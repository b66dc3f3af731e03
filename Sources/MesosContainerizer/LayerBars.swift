import Images
import LinuxKernel
import TaskModel

/// A line for each layer under way, written over as it gets on:
///
///     3 of 5  6fe02ea15ae5  fetching   [#########.....................]  31.2 MiB / 97.8 MiB, 45.0 MiB/s
///
/// A value: what it returns is what a terminal is to be sent.
struct LayerBars {
  private var lines = 0
  private var shownAt: UInt64 = 0
  /// When each layer was first seen in its phase, and how far it was then: what its rate is counted from.
  private var begun: [Int: (phase: LayerProgress.Phase, at: UInt64, bytes: UInt64)] = [:]

  private static let interval: UInt64 = 200_000_000
  /// As many as come and are unpacked at once; more would push what was said before off a small screen.
  private static let most = 8
  private static let width = 30
  /// Return, and erase to the end of the line (ECMA-48).
  private static let erase = "\r\u{1b}[K"
  private static let up = "\u{1b}[1A"

  /// The bars of what is under way; `nil` when it is too soon to show them again.
  mutating func show(_ parts: [LayerProgress], at now: UInt64) -> [UInt8]? {
    guard now >= shownAt + LayerBars.interval else { return nil }
    let active = parts.filter { $0.phase == .fetching || $0.phase == .unpacking }
    guard !active.isEmpty || lines > 0 else { return nil }
    shownAt = now
    let texts = active.prefix(LayerBars.most).map { text($0, of: parts, at: now) }
    let before = wiping
    lines = texts.count
    return Array((before + texts.map { $0 + "\n" }.joined()).utf8)
  }

  /// What takes the bars away; `nil` when there are none.
  mutating func wipe() -> [UInt8]? {
    guard lines > 0 else { return nil }
    let text = wiping
    lines = 0
    shownAt = 0
    return Array(text.utf8)
  }

  private var wiping: String { String(repeating: LayerBars.up + LayerBars.erase, count: lines) }

  private mutating func text(_ part: LayerProgress, of parts: [LayerProgress], at now: UInt64) -> String {
    let isFetching = part.phase == .fetching
    let bytes = min(isFetching ? part.fetched : part.unpacked, part.size)
    if begun[part.number]?.phase != part.phase { begun[part.number] = (part.phase, now, bytes) }
    var rate = ""
    if let start = begun[part.number], now > start.at, bytes > start.bytes {
      let perSecond = Double(bytes - start.bytes) / (Double(now - start.at) / 1e9)
      rate = ", \(Quantity.bytes(UInt64(min(perSecond, 1e15))))/s"
    }
    // In parts of its length that cannot overflow: a server says how long it is.
    let filled = part.size == 0 ? LayerBars.width : Int(Double(bytes) / Double(part.size) * Double(LayerBars.width))
    let bar =
      String(repeating: "#", count: min(filled, LayerBars.width))
      + String(repeating: ".", count: max(0, LayerBars.width - filled))
    return "  \(part.number)  \(part.digest?.short ?? "")  \(isFetching ? "fetching " : "unpacking")  [\(bar)]  "
      + "\(Quantity.bytes(bytes)) / \(Quantity.bytes(part.size))\(rate)"
  }
}
