import Glibc
import LinuxKernel
import StrictJSON
import TaskStore

/// `logs -f`: shows what the processes of a task write until it has ended, also of runs and processes that begin later.
final class LogsFollower {
  private let shown: ShownLogs
  private let merge: LogMerge
  private let printer: LogPrinter
  /// Absent where there is none to be had.
  private let watcher: FileWatcher?
  private var watches: [Place: Int32] = [:]
  /// Something happens that nobody is told of.
  private var isBlind: Bool
  private var pause = LookPause()
  /// The journal's record of init.
  private var launched: JSON?

  /// A directory in which something can happen.
  private enum Place: Hashable {
    /// Of the task's own, that no task writes to.
    case path(String)
    case process(String)
    case run(String, Int)
  }

  private enum Source: UInt64 {
    case files = 1, reader
  }

  init(_ shown: ShownLogs, _ merge: LogMerge, _ printer: LogPrinter) {
    (self.shown, self.merge, self.printer) = (shown, merge, printer)
    watcher = try? FileWatcher()
    isBlind = watcher == nil
  }

  func run() throws(ExecutorFailure) -> ExitCode {
    do throws(Errno) {
      let poller = try Poller()
      if let watcher { try poller.add(watcher.descriptor, token: Source.files.rawValue) }
      // Tells when nobody reads any more; a file or /dev/null cannot be polled, and needs not.
      try? poller.add(1, token: Source.reader.rawValue, read: false, write: false)
      while true {
        // Asked first: what was written until then is shown below.
        let isOver = hasEnded() || (!merge.logs.isEmpty && merge.logs.allSatisfy(\.isOver))
        takeNewProcesses()
        watchRuns()
        pause.looked(foundNews: show())
        if isOver || printer.isClosed {
          for log in merge.logs { log.holdsPartial = false }
          show()
          printer.finish()
          return shown.exitCode
        }
        // The end of an executor makes no event here, so that is looked for now and then.
        let milliseconds = isBlind ? pause.milliseconds : 1000
        for event in try poller.wait(timeoutMilliseconds: milliseconds) where event.token == Source.reader.rawValue {
          if event.hangup { return shown.exitCode }
        }
        _ = watcher?.takeEvents()
      }
    } catch {
      throw ExecutorFailure(.internalError, "cannot follow the logs: \(error)")
    }
  }

  /// - Returns: whether there was anything to show.
  @discardableResult private func show() -> Bool {
    var foundNews = false
    while !printer.isClosed, let (log, line) = merge.next() {
      printer.print(line, of: log)
      foundNews = true
    }
    printer.flush()
    for log in merge.logs {
      let (isCut, missing) = (log.takeCut(), log.takeMissing())
      if isCut {
        Console.warning("\(log.process) \(log.stream): the file was truncated; what was written since is shown")
      }
      guard missing > 0 else { continue }
      Console.warning(
        "\(log.process) \(log.stream): \(missing) bytes were \(isCut ? "cut off" : "rotated away") before they could be "
          + "shown")
    }
    return foundNews
  }

  /// The result is there; or nobody runs the task, neither an executor nor its init.
  private func hasEnded() -> Bool {
    if (try? status(of: shown.paths.result)) != nil { return true }
    guard !TaskLock.isHeld(shown.paths) else { return false }
    if launched != nil, InitFate(launched, shown.paths) == .lives { return false }
    // Another executor may have launched it since.
    launched = (try? JournalContents(reading: shown.paths.journal))?.launched
    return [.ended, .notLaunched].contains(InitFate(launched, shown.paths))
  }

  private func takeNewProcesses() {
    let names = shown.process.map { [$0] } ?? shown.processes()
    let new = names.filter { name in !merge.logs.contains { $0.process.utf8.elementsEqual(name.utf8) } }
    for log in shown.logs(of: new) {
      log.follows = true
      log.holdsPartial = printer.mixes
      log.begin(tail: nil)
      merge.add(log)
    }
  }

  /// The directories in which something can happen next.
  private func watchRuns() {
    let paths = shown.paths
    var wanted: Set<Place> = [.path(paths.task), .path(paths.logs)]
    for log in merge.logs {
      wanted.insert(.process(log.process))
      if let run = log.run { wanted.insert(.run(log.process, run)) }
    }
    for (place, watch) in watches where !wanted.contains(place) {
      watcher?.unwatch(watch)
      watches[place] = nil
    }
    guard let watcher else { return }
    isBlind = false
    for place in wanted where watches[place] == nil {
      do throws(Errno) { watches[place] = try watch(place, watcher) } catch  where error.code == ENOENT {} catch {
        isBlind = true
      }
    }
  }

  /// `nil` when there is no such place yet.
  private func watch(_ place: Place, _ watcher: FileWatcher) throws(Errno) -> Int32? {
    let directory: SharedDescriptor?
    switch place {
    case .path(let path): return try watcher.watch(path)
    case .process(let name): directory = shown.tree?.process(name)
    case .run(let name, let run): directory = shown.tree?.run(name, run)
    }
    return try directory.map { (found) throws(Errno) in try watcher.watch(open: found.rawValue) }
  }
}
