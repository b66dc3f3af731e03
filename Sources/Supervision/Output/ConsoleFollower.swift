import Glibc
import LinuxKernel
import TaskModel
import TaskStore

/// Shows the processes' output on the executor's own standard output and standard error as it comes: of all processes,
/// each line prefixed with its process, or of those alone whose document says `console` or `both`, as the bytes are.
///
/// It reads the files that init writes, like anybody else could: a terminal that stands still stops neither a process nor
/// the supervisor, and what it has not taken by the time a file is rotated away is counted and said.
final class ConsoleFollower {
  private let paths: TaskPaths
  private let runDirectory: HeldRunDirectory
  private let output: ExecutorOutput
  /// Absent where there is none to be had, and where nothing is shown.
  private let watcher: FileWatcher?
  private let showsAll: Bool
  private let width: Int
  /// By the number of their watch.
  private var runs: [Int32: FollowedRun] = [:]
  /// Those that the kernel does not watch: they are looked at now and then.
  private var unwatched: [FollowedRun] = []
  private var pause = LookPause()
  private var nextLook: UInt64 = 0
  /// Runs that have ended, the rest of whose output is being shown, in the order of their ends.
  private var ending: [FollowedRun] = []
  /// Runs that there are no descriptors for. They are shown when there are, or when they end.
  private var waiting: [(process: ProcessDefinition, run: Int, resumes: Bool)] = []
  private var hasTold = false
  /// What runs write in, by whether it is for the console only.
  private var trees: [Bool: LogTree] = [:]

  /// How long the rest of a run is shown to who reads.
  private static let timeout: UInt64 = 1_000_000_000
  /// Who is further behind than this at the end of a run is told where the rest is.
  private static let rest: UInt64 = 1 << 20

  /// Nil when nothing is to be shown.
  init?(
    _ processes: [ProcessDefinition], paths: TaskPaths, _ runDirectory: HeldRunDirectory, output: ExecutorOutput,
    showsAll: Bool
  ) {
    guard showsAll || processes.contains(where: \.goesToConsole) else { return nil }
    (self.paths, self.runDirectory, self.output, self.showsAll) = (paths, runDirectory, output, showsAll)
    watcher = bestEffort("be told of changes to the logs (inotify)") { try FileWatcher() }
    // For prefixes of one width.
    width = min(24, processes.map { $0.name.unicodeScalars.count }.max() ?? 0)
  }

  /// Readable when there is something for `takeEvents`; `nil` where nothing tells, and `timeout` alone says when to go on.
  var descriptor: Int32? { watcher?.descriptor }

  /// Starts showing a run. Its directory exists.
  ///
  /// - Parameter resumes: another executor has begun to; what it has shown is not shown again.
  func follow(_ process: ProcessDefinition, run: Int, resumes: Bool = false) {
    guard showsAll || process.goesToConsole, RunLogs.mode(for: process) != .discard else { return }
    // One that a detached executor has started for the console alone writes nowhere.
    if resumes, tree(process)?.has(process.name, run) != true { return }
    if begin(process, run, resumes) { return }
    waiting.append((process, run, resumes))
    guard !hasTold else { return }
    hasTold = true
    tell("\(process.name): too many processes to show the output of all as it comes; this and others wait")
  }

  /// When to go on with what waits, in milliseconds: at once with what waits for its turn, or when the time of a run that
  /// has ended is over, or what nobody watches is to be looked at; nil when nothing waits, or what waits does so for who reads.
  var timeout: Int32? {
    func waitsForItsTurn(_ run: FollowedRun) -> Bool { run.streams.contains { $0.isBehind && $0.queue.isEmpty } }
    if ending.contains(where: waitsForItsTurn) || live.contains(where: waitsForItsTurn) { return 0 }
    let look = unwatched.isEmpty ? nil : nextLook
    guard let deadline = (ending.map(\.deadline) + [look]).compactMap({ $0 }).min() else { return nil }
    let now = Clock.now
    return deadline > now ? Int32(clamping: (deadline - now) / 1_000_000 + 1) : 0
  }

  /// Shows what the watched files have got since.
  func takeEvents() {
    for watch in watcher?.takeEvents() ?? [] { runs[watch]?.streams.forEach { $0.hasNews() } }
    goOn()
  }

  /// Goes on with what waits. What runs that have ended wrote comes before what others write now.
  func goOn() {
    var taken: Set<ObjectIdentifier> = []
    for run in ending {
      for stream in run.streams where stream.isBehind && !taken.contains(ObjectIdentifier(stream.queue)) {
        stream.goOn()
        if stream.isBehind { taken.insert(ObjectIdentifier(stream.queue)) } else { stream.finishLine() }
      }
    }
    let now = Clock.now
    ending.removeAll { run in
      guard !run.isBehind || run.deadline.map({ $0 <= now }) == true else { return false }
      close(run)
      return true
    }
    let looks = !unwatched.isEmpty && now >= nextLook
    var foundNews = false
    if looks { for run in unwatched { run.streams.forEach { $0.hasNews() } } }
    for run in live {
      for stream in run.streams where stream.isBehind && !taken.contains(ObjectIdentifier(stream.queue)) {
        if stream.goOn() { foundNews = true }
      }
      tellMissing(of: run)
      run.note()
    }
    if looks {
      pause.looked(foundNews: foundNews)
      nextLook = now + pause.nanoseconds
    }
    while let next = waiting.first, begin(next.process, next.run, next.resumes) { waiting.removeFirst() }
  }

  /// A run has ended: what is left of it is shown when it is little; of much, the place is named. Who reads gets a second
  /// to go on reading, the streams together, while the supervisor does its work.
  func drain(process: String, run number: Int) {
    func isMeant(_ run: FollowedRun) -> Bool {
      run.number == number && run.process.name.utf8.elementsEqual(process.utf8)
    }
    if let index = waiting.firstIndex(where: { $0.run == number && $0.process.name.utf8.elementsEqual(process.utf8) }) {
      let (process, run, resumes) = waiting.remove(at: index)
      guard begin(process, run, resumes, isLast: true) else { return leaveOut(process, run) }
    }
    let run: FollowedRun
    if let (watch, found) = runs.first(where: { isMeant($0.value) }) {
      watcher?.unwatch(watch)
      runs[watch] = nil
      run = found
    } else if let index = unwatched.firstIndex(where: isMeant) {
      run = unwatched.remove(at: index)
    } else {
      return
    }
    run.streams.forEach { $0.hasNews() }
    run.deadline = Clock.now + Self.timeout
    ending.append(run)
    goOn()
    guard run.keepsFiles, run.streams.contains(where: { $0.isBehind && $0.log.left > Self.rest }) else { return }
    run.deadline = 0
  }

  /// Shows what is left of everything, as long as its time is not over.
  func finish() {
    for run in live { drain(process: run.process.name, run: run.number) }
    for run in waiting { drain(process: run.process.name, run: run.run) }
    goOn()
    while !ending.isEmpty {
      output.wait(milliseconds: timeout ?? 0)
      goOn()
    }
  }

  // MARK: Runs

  /// Those that have not ended.
  private var live: [FollowedRun] { unwatched.isEmpty ? Array(runs.values) : runs.values + unwatched }

  /// False when it cannot be shown now. Half of the descriptors that the executor may have are left to what the task
  /// needs; runs that have ended, which are soon done with, may take half of those.
  private func begin(_ process: ProcessDefinition, _ run: Int, _ resumes: Bool, isLast: Bool = false) -> Bool {
    let limit = Int(clamping: DescriptorLimit.inherited.hard) / FollowedRun.descriptors
    guard runs.count + unwatched.count + ending.count < (isLast ? limit / 4 * 3 : limit / 2) else { return false }
    let name = printable(process.name.utf8)
    let padding = String(repeating: " ", count: max(0, width - name.unicodeScalars.count))
    guard let directory = tree(process)?.run(process.name, run) else { return false }
    let watch = watcher.flatMap { watcher in
      bestEffort("be told of changes to the logs of \(process.name) run \(run)") {
        try watcher.watch(open: directory.rawValue)
      }
    }
    let followed = FollowedRun(
      process, run: run, in: directory, paths: paths, runDirectory, output: output,
      prefix: showsAll ? Array((name + padding + " | ").utf8) : [], resumes: resumes)
    if let watch {
      runs[watch] = followed
    } else {
      unwatched.append(followed)
      (pause, nextLook) = (LookPause(), Clock.now)
    }
    return true
  }

  private func tree(_ process: ProcessDefinition) -> LogTree? {
    let isConsole = process.logger?.destination == .console
    if let opened = trees[isConsole], !opened.isRemoved { return opened }
    let errors = output.errors
    trees[isConsole] = bestEffort("open the logs of \(process.name)", tolerating: ENOENT) {
      try LogTree(of: process, paths) { errors.note("warning: \($0)") }
    }
    return trees[isConsole]
  }

  private func close(_ run: FollowedRun) {
    for stream in run.streams where stream.isBehind {
      if run.keepsFiles {
        tell("\(run.process.name) \(stream.name): … the rest is in \(run.path)/\(stream.name)")
      } else {
        stream.missing += stream.left
      }
    }
    tellMissing(of: run)
    run.forget()
    // A console has no log: what could not be shown by now is gone.
    if !run.keepsFiles { _ = tree(run.process)?.remove(run.process.name, run.number) }
  }

  /// A run that there were no descriptors for to the end.
  private func leaveOut(_ process: ProcessDefinition, _ run: Int) {
    let directory = RunLogs.path(process, run: run, paths)
    guard process.logger?.destination == .console else {
      return tell("\(process.name): what it wrote could not be shown; it is in \(directory)")
    }
    tell("warning: \(process.name): what it wrote could not be shown")
    _ = tree(process)?.remove(process.name, run)
  }

  // MARK: Remarks

  private func tellMissing(of run: FollowedRun) {
    for stream in run.streams where stream.missing > 0 {
      let text = "warning: \(run.process.name) \(stream.name): \(stream.missing) bytes could not be shown"
      if output.errors.note(text) { stream.missing = 0 }
    }
  }

  private func tell(_ text: String) { output.errors.note(text) }
}
