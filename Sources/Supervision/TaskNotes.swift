import LinuxKernel
import StrictJSON
import TaskStore

/// What the result of a task is to say beside its verdict: what could not be written down or done while it ran.
final class TaskNotes {
  private(set) var texts: [String]
  private let journal: Journal
  private let publisher: StatusPublisher
  private let paths: TaskPaths
  private var isBehind = false

  private static let most = 32
  private static let writingPause: Int32 = 1000

  /// - Parameter texts: what another executor has noted.
  init(_ texts: [String], _ journal: Journal, _ publisher: StatusPublisher, _ paths: TaskPaths) {
    (self.texts, self.journal, self.publisher, self.paths) = (texts, journal, publisher, paths)
  }

  /// Each once, and not without end.
  func add(_ text: String) {
    guard texts.count < Self.most, !texts.contains(where: { $0.utf8.elementsEqual(text.utf8) }) else { return }
    texts.append(text)
    journal.append("note", [("text", JSON(text))], at: Clock.now)
  }

  /// When the journal is to be tried again, in milliseconds; `nil` while all of it is written.
  var timeout: Int32? { journal.obstacle == nil ? nil : Self.writingPause }

  /// A disk that takes nothing is tried again, and people are told once, and when it is over.
  func keepJournal() {
    if journal.obstacle != nil { journal.catchUp() }
    guard (journal.obstacle != nil) != isBehind else { return }
    isBehind.toggle()
    if let obstacle = journal.obstacle {
      add("the journal could not be written (\(obstacle)): what happened was kept in memory")
      publisher.warning("\(paths.journal) cannot be written: \(obstacle); what happens is kept in memory until it can")
    } else {
      publisher.note("the journal is written again")
    }
  }
}
