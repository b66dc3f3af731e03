/// What garbage collection says of one thing, with the reason.
package struct GarbageEvent: Sendable, Equatable {
  package enum Kind: String, Sendable {
    case image
    /// A layer that no image has.
    case layer
    case staging
    case pull
  }

  package enum Verdict: Sendable, Equatable {
    case removed
    /// It would have gone, but for the reason.
    case kept
  }

  package let verdict: Verdict
  package let kind: Kind
  /// A digest, or the path of what an import or a pull has left.
  package let name: String
  package var references: [ImageReference] = []
  /// What is free for it: of an image, the content of layers that no other has.
  package let bytes: UInt64
  package let reason: String
}

/// What garbage collection is asked for.
package struct GarbagePolicy: Sendable {
  /// Images that were not used for so many seconds go.
  package var unusedSeconds: UInt64?
  /// Then others, least recently used first, until the file system has so much room.
  package var untilFree: UInt64?

  package init(unusedSeconds: UInt64? = nil, untilFree: UInt64? = nil) {
    self.unusedSeconds = unusedSeconds
    self.untilFree = untilFree
  }

  /// Why an image is to go, `nil` when it is not.
  func reason(_ image: ImageSummary, now: UInt64, free: UInt64) -> String? {
    let idle = now > image.lastUsedAt ? (now - image.lastUsedAt) / 1_000_000_000 : 0
    if let unusedSeconds, idle >= unusedSeconds { return "unused since \(GarbagePolicy.text(seconds: idle))" }
    if let untilFree, free < untilFree {
      return "\(GarbagePolicy.text(bytes: untilFree - free)) to free, least recently used"
    }
    return nil
  }

  private static func text(seconds: UInt64) -> String {
    for (unit, size) in [("day", 86_400 as UInt64), ("hour", 3600), ("minute", 60)] where seconds >= size {
      return "\(seconds / size) \(unit)\(seconds / size == 1 ? "" : "s")"
    }
    return "\(seconds) second\(seconds == 1 ? "" : "s")"
  }

  private static func text(bytes: UInt64) -> String {
    if bytes >> 30 > 0 { return "\(bytes >> 30) GiB" }
    return bytes >> 20 > 0 ? "\(bytes >> 20) MiB" : "\(bytes >> 10) KiB"
  }
}
