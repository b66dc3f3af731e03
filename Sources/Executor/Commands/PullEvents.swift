import Images
import LinuxKernel
import Registry
import StrictJSON

/// How a pull or an import gets on, as a line of JSON for whatever is new: `{"event": "layers", …}`.
struct PullEvents {
  private let write: (JSON) -> Void
  private var shownAt: UInt64 = 0
  private var last: (phase: ImportProgress.Phase, done: Int)?

  /// How often bytes are told, where nothing else happens.
  private static let interval: UInt64 = 500_000_000

  init(write: @escaping (JSON) -> Void) { self.write = write }

  mutating func take(_ progress: PullProgress, at now: UInt64 = Clock.now) {
    switch progress {
    case .waiting: tell("waiting")
    case .present: tell("present")
    case .resolved(let digest): tell("resolved", ("digest", JSON(digest.description)))
    case .layers(let missing, let all, let bytes):
      tell("layers", ("missing", JSON(missing)), ("layers", JSON(all)), ("bytes", JSON(bytes)))
    case .fetched(let digest, let bytes):
      tell("fetched", ("digest", JSON(digest.description)), ("bytes", JSON(bytes)))
    case .retrying(let what, let why, let milliseconds):
      tell("retrying", ("what", JSON(what)), ("why", JSON(why)), ("milliseconds", JSON(milliseconds)))
    case .warning(let text): tell("warning", ("what", JSON(text)))
    case .importing(let progress): take(progress, at: now)
    }
  }

  func passOver(_ item: PassedOver) { tell("passed_over", ("what", JSON(item.description))) }

  private mutating func take(_ progress: ImportProgress, at now: UInt64) {
    let isNews = last.map { $0.phase != progress.phase || $0.done != progress.layersDone } ?? true
    guard isNews || now >= shownAt + PullEvents.interval else { return }
    shownAt = now
    last = (progress.phase, progress.layersDone)
    let layers = progress.parts.map { part in
      JSON(object: [
        ("number", JSON(part.number)), ("digest", part.digest.map { JSON($0.description) }),
        ("phase", JSON(part.phase.rawValue)), ("fetched", JSON(part.fetched)), ("unpacked", JSON(part.unpacked)),
        ("size", JSON(part.size)),
      ])
    }
    tell(
      progress.phase.rawValue, ("image", JSON(progress.image)), ("layers_done", JSON(progress.layersDone)),
      ("layers", JSON(layers)))
  }

  private func tell(_ event: String, _ members: (String, JSON)...) {
    write(JSON(object: [("event", JSON(event))] + members))
  }
}
