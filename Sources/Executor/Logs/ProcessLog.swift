import LinuxKernel

/// One stream of a process over its runs, which follow each other in time.
final class ProcessLog {
  enum Runs: Equatable {
    case all
    case last
    case only(Int)
  }

  let process: String
  let stream: String
  private let folder: String
  private let runs: Runs
  private var reader: LogLineReader?
  private(set) var run: Int?
  /// Lines from before this time are left out, until one is not.
  private var since: UInt64?
  private var isLeftOut = false
  /// Whether runs that begin later are shown, too.
  var follows = false { didSet { if follows { reader?.stream.limit(toNow: false) } } }
  /// The last run there was when this began.
  private let lastRun: Int?
  /// The runs there were when somebody last looked.
  private var known: [Int]
  private var begin: (run: Int, place: LogStream.Place)?

  /// - Parameter folder: of the process, with a directory for each run.
  init(process: String, stream: String, folder: String, runs: Runs, since: UInt64?) {
    (self.process, self.stream, self.folder, self.runs, self.since) = (process, stream, folder, runs, since)
    known = Self.numbers(folder)
    lastRun = known.last
  }

  static func numbers(_ folder: String) -> [Int] {
    ((try? entries(of: folder)) ?? []).compactMap { AccountFile.number($0.name).map(Int.init) }.sorted()
  }

  /// Where the run that is read has its files; watched while following.
  var directory: String? { run.map { "\(folder)/\($0)" } }

  // MARK: Where to begin

  /// Goes to the last `tail` lines, or to what came since, or to the beginning.
  func begin(tail: Int?) {
    let numbers = known.filter { number in
      switch runs {
      case .all: true
      case .last: number == lastRun
      case .only(let wanted): number == wanted
      }
    }
    if let tail {
      begin(tail: tail, numbers)
    } else if let since {
      for number in numbers {
        open(number)
        if reader?.stream.go(since: since) == true { break }
        // All of it is older.
        reader?.stream.goToEnd()
      }
    } else if let first = numbers.first {
      open(first)
    }
    begin = run.flatMap { run in reader.map { (run, $0.stream.place) } }
  }

  private func begin(tail: Int, _ numbers: [Int]) {
    var missing = tail
    for number in numbers.reversed() {
      open(number)
      if missing == 0 {
        reader?.stream.goToEnd()
        return
      }
      missing -= reader?.stream.go(lines: missing) ?? 0
      if missing <= 0 { return }
    }
  }

  /// Goes where it began.
  func rewind() {
    guard let begin else { return }
    open(begin.run)
    reader?.stream.go(to: begin.place)
  }

  private func open(_ number: Int) {
    run = number
    reader = LogStream("\(folder)/\(number)", stream).map { LogLineReader($0) }
    if !follows, number == lastRun { reader?.stream.limit(toNow: true) }
  }

  // MARK: Reading

  /// The next line that is there.
  func next() -> LogLine? {
    while true {
      if let line = reader?.next() {
        if isWanted(line) { return line }
        continue
      }
      guard let later = nextRun() else { return nil }
      // What came between the two looks: when a later run is there, this one writes no more.
      if let line = reader?.next() ?? reader?.rest() {
        if isWanted(line) { return line }
        continue
      }
      open(later)
    }
  }

  /// What there is of a last line without an end.
  func rest() -> LogLine? { reader?.rest().flatMap { isWanted($0) ? $0 : nil } }

  /// Bytes that could not be shown since the last time this was asked.
  func takeMissing() -> UInt64 { reader?.stream.takeMissing() ?? 0 }

  /// No further line will come of the run that was asked for.
  var isOver: Bool {
    guard case .only(let wanted) = runs else { return false }
    return Self.numbers(folder).contains { $0 > wanted }
  }

  private func nextRun() -> Int? {
    func isNext(_ number: Int) -> Bool {
      guard number > run ?? -1 else { return false }
      return switch runs {
      case .all: true
      case .last: number >= lastRun ?? 0
      case .only(let wanted): number == wanted
      }
    }
    if let next = known.first(where: isNext) { return next }
    guard follows else { return nil }
    known = Self.numbers(folder)
    return known.first(where: isNext)
  }

  private func isWanted(_ line: LogLine) -> Bool {
    guard let since else { return true }
    if line.startsLine { isLeftOut = line.time < since }
    // Once they are new enough they stay so, whatever the clock does.
    if !isLeftOut { self.since = nil }
    return !isLeftOut
  }
}
