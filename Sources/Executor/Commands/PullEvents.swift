import Images
import LinuxKernel
import MesosContainerizer
import Registry
import StrictJSON
import Supervision
import TaskStore

/// Tells who runs a command how a pull or an import gets on: people on standard error, programs on standard output, or
/// nobody.
struct ProgressReport {
  private var view: PullView?
  private var events: PullEvents?
  /// How much was passed over.
  private var beside = 0

  private static let mostBeside = 16

  /// - Parameter name: what is pulled or imported.
  init(_ name: String, _ style: StatusPublisher.Style, isQuiet: Bool) {
    guard !isQuiet else { return }
    if style == .json { events = PullEvents { Console.output($0.compact) } } else { view = PullView(name) }
  }

  mutating func take(_ progress: PullProgress) {
    view?.take(progress)
    events?.take(progress)
  }

  /// Something lies beside the image in an archive. People are told of the first ones: an index may list hundreds.
  mutating func passOver(_ item: PassedOver) {
    beside += 1
    if let events { return events.passOver(item) }
    view?.finish()
    if beside <= ProgressReport.mostBeside { Console.note("passed over: \(item)") }
  }

  /// Takes away what is only for the moment.
  mutating func finish() {
    view?.finish()
    if events == nil, beside > ProgressReport.mostBeside {
      Console.note("passed over: \(beside - ProgressReport.mostBeside) more")
      beside = 0
    }
  }
}

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
