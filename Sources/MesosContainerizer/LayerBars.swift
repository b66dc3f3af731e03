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
  private static let (leastWidth, width) = (8, 30)
  /// Return, and erase to the end of the line (ECMA-48).
  private static let erase = "\r\u{1b}[K"
  private static let up = "\u{1b}[1A"

  /// The bars of what is under way; `nil` when it is too soon to show them again. No bar is longer than a line of the screen
  /// nor are there more than lines: going up, a terminal counts what it has broken.
  mutating func show(_ parts: [LayerProgress], on screen: TerminalSize, at now: UInt64) -> [UInt8]? {
    guard now >= shownAt + LayerBars.interval else { return nil }
    let active = parts.filter { $0.phase == .fetching || $0.phase == .unpacking }
    guard !active.isEmpty || lines > 0 else { return nil }
    shownAt = now
    let texts = active.prefix(min(LayerBars.most, max(screen.rows - 1, 1))).map {
      text($0, within: max(screen.columns - 1, 1), at: now)
    }
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

  private mutating func text(_ part: LayerProgress, within columns: Int, at now: UInt64) -> String {
    let isFetching = part.phase == .fetching
    let bytes = min(isFetching ? part.fetched : part.unpacked, part.size)
    if begun[part.number]?.phase != part.phase { begun[part.number] = (part.phase, now, bytes) }
    var rate = ""
    if let start = begun[part.number], now > start.at, bytes > start.bytes {
      let perSecond = Double(bytes - start.bytes) / (Double(now - start.at) / 1e9)
      rate = ", \(Quantity.bytes(UInt64(min(perSecond, 1e15))))/s"
    }
    let head = "  \(part.number)  \(part.digest?.short ?? "")  \(isFetching ? "fetching " : "unpacking")  "
    let tail = "\(Quantity.bytes(bytes)) / \(Quantity.bytes(part.size))"
    // What there is no room for goes in the order of what it tells: first of the bar, then the rate, then all of the bar.
    for rate in [rate, ""] {
      let room = columns - (head + tail + rate).utf8.count - "[]  ".utf8.count
      if room >= LayerBars.leastWidth {
        let bar = LayerBars.bar(bytes, of: part.size, width: min(room, LayerBars.width))
        return "\(head)[\(bar)]  \(tail)\(rate)"
      }
    }
    return String(decoding: (head + tail).utf8.prefix(columns), as: UTF8.self)
  }

  private static func bar(_ bytes: UInt64, of size: UInt64, width: Int) -> String {
    // In parts of its length that cannot overflow: a server says how long it is.
    let filled = size == 0 ? width : Int(Double(bytes) / Double(size) * Double(width))
    return String(repeating: "#", count: min(filled, width)) + String(repeating: ".", count: max(0, width - filled))
  }
}
