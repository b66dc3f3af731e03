import Images
import LinuxKernel
import StrictJSON
import Supervision
import TaskModel
import TaskStore

/// `image gc`: removes what nobody has used for long, and what there is no room for.
enum ImageGCCommand {
  static let options = [
    Option(
      "--unused-for", value: "DURATION", "gc: remove images not used for so long: 12h, 30d (without --until-free: 14d)"),
    Option("--until-free", value: "SIZE", "gc: then the least recently used until so much is free: 500M, 20G"),
    Option("--dry-run", "gc: only say what would be removed"),
  ]

  /// Where nothing else is asked for: two weeks.
  private static let unusedSeconds: UInt64 = 14 * 86_400

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let style = try arguments.outputStyle()
    let isDryRun = arguments.has("--dry-run")
    let policy = try policy(arguments)
    // What is found is said here, and not removed by the way.
    let store = try ImageCommand.store(arguments, isRead: isDryRun, sweeps: false)
    var images = 0
    let removal = try store.collectGarbage(policy, isDryRun: isDryRun) { event in
      if event.kind == .image, event.verdict == .removed { images += 1 }
      Console.output(style == .json ? json(event, isDryRun).compact : text(event, isDryRun))
    }
    let free = try store.freeBytes()
    if style == .json {
      Console.output(
        JSON(object: [
          ("event", "end"), ("images", JSON(images)), ("free_bytes", JSON(free)), ("dry_run", JSON(isDryRun)),
        ]).compact)
    } else {
      let count = "\(images) image\(images == 1 ? "" : "s")"
      Console.note("\(count) \(isDryRun ? "would be removed" : "removed"), \(Quantity.bytes(free)) are free")
    }
    for id in removal.unreadable {
      Console.warning("the image \(id.short) cannot be read; `image rm \(id.short)` removes it")
    }
    if let wanted = policy.untilFree, !isDryRun, free < wanted {
      Console.warning(
        "\(Quantity.bytes(wanted)) are not free: what is left is in use, pinned, or no image of this store")
      return .residue
    }
    return removal.unreadable.isEmpty ? .finished : .residue
  }

  private static func policy(_ arguments: Arguments) throws(ExecutorFailure) -> GarbagePolicy {
    var policy = GarbagePolicy()
    if let text = arguments.last("--unused-for") {
      guard let seconds = PastTime.seconds(text) else {
        throw ExecutorFailure(.usage, "--unused-for \(printable(text.utf8)): no duration", hint: "90m, 12h, 30d")
      }
      policy.unusedSeconds = seconds
    }
    if let text = arguments.last("--until-free") {
      guard let bytes = bytes(text) else {
        throw ExecutorFailure(.usage, "--until-free \(printable(text.utf8)): no size", hint: "500M, 20G, 1T, or bytes")
      }
      policy.untilFree = bytes
    }
    if policy.unusedSeconds == nil, policy.untilFree == nil { policy.unusedSeconds = unusedSeconds }
    return policy
  }

  /// `500M`, `20G`, also with `B` or `iB` behind them, or bytes. Units are powers of 1024, as everywhere here.
  static func bytes(_ text: String) -> UInt64? {
    let digits = text.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    let unit = Array(text.utf8.dropFirst(digits.count))
    guard let number = UInt64(String(decoding: Array(digits), as: UTF8.self)) else { return nil }
    for (shift, letter) in ["", "K", "M", "G", "T"].enumerated() {
      guard [letter, letter + "B", letter + "iB"].contains(where: { unit.elementsEqual($0.utf8) }) else { continue }
      let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << (10 * UInt64(shift)))
      return overflow ? nil : bytes
    }
    return nil
  }

  private static func text(_ event: GarbageEvent, _ isDryRun: Bool) -> String {
    let verb =
      switch event.verdict {
      case .removed: isDryRun ? "would remove" : "removed"
      case .kept: "kept"
      }
    let id = Digest(event.name).map(\.short) ?? event.name
    let name = event.references.first.map { "\($0) (\(id))" } ?? id
    let more = event.references.count > 1 ? " and \(event.references.count - 1) more names" : ""
    return "\(verb) \(kind(event)) \(name)\(more), \(Quantity.bytes(event.bytes)): \(event.reason)"
  }

  private static func kind(_ event: GarbageEvent) -> String {
    switch event.kind {
    case .image, .layer: event.kind.rawValue
    case .pull, .staging: "directory"
    }
  }

  private static func json(_ event: GarbageEvent, _ isDryRun: Bool) -> JSON {
    let isPath = event.kind == .pull || event.kind == .staging
    return JSON(object: [
      ("event", event.verdict == .removed ? "removed" : "kept"), ("kind", JSON(event.kind.rawValue)),
      (isPath ? "path" : "id", JSON(event.name)),
      ("references", event.kind == .image ? JSON(event.references.map { JSON($0.description) }) : nil),
      ("bytes", JSON(event.bytes)), ("reason", JSON(event.reason)), ("dry_run", JSON(isDryRun)),
    ])
  }
}
