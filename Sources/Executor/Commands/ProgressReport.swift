import Images
import LinuxKernel
import MesosContainerizer
import Registry
import StrictJSON
import Supervision

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
