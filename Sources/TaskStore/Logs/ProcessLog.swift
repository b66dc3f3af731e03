import LinuxKernel

/// One stream of a process over its runs, which follow each other in time.
package final class ProcessLog {
  package enum Runs: Equatable {
    case all
    case last
    case only(Int)
  }

  package let process: String
  package let stream: String
  private let tree: LogTree
  private let runs: Runs
  private var reader: LogLineReader?
  package private(set) var run: Int?
  /// Lines from before this time are left out, until one is not.
  private let since: UInt64?
  private var isNewEnough = false
  private var isLeftOut = false
  /// Whether a last line without an end waits for it: lines of others may be shown in between.
  package var holdsPartial = false
  /// Whether runs that begin later are shown, too.
  package var follows = false { didSet { if follows { reader?.stream.limit(toNow: false) } } }
  /// The last run there was when this began.
  private let lastRun: Int?
  /// The runs there were when somebody last looked, and when that was.
  private var known: [Int]
  private var looked = Clock.now
  /// What nobody has asked for yet of runs before this one.
  private var missing: UInt64 = 0
  private var wasCut = false
  private var begin: (run: Int, place: LogStream.Place)?

  package init(process: String, stream: String, tree: LogTree, runs: Runs, since: UInt64?) {
    (self.process, self.stream, self.tree, self.runs, self.since) = (process, stream, tree, runs, since)
    known = Self.numbers(process, tree)
    lastRun = known.last
  }

  /// The runs that there are. One listing may miss what is added meanwhile and have what was added after that; what was
  /// there before the last of one, another has for certain.
  package static func numbers(_ process: String, _ tree: LogTree) -> [Int] {
    func list() -> [Int] { tree.runs(of: process).sorted() }
    let first = list()
    guard let last = first.last, first.count <= last else { return first }
    return list().filter { $0 <= last }
  }

  // MARK: Where to begin

  /// Goes to the last `tail` lines, or to what came since, or to the beginning.
  package func begin(tail: Int?) {
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
  package func rewind() {
    (isNewEnough, isLeftOut) = (false, false)
    guard let begin else { return }
    open(begin.run)
    reader?.stream.go(to: begin.place)
  }

  private func open(_ number: Int) {
    run = number
    reader = tree.run(process, number).map {
      LogLineReader(LogStream($0, stream, place: "\(tree.path)/\(process)/\(number)", faults: tree.faults))
    }
    if !follows, number == lastRun { reader?.stream.limit(toNow: true) }
  }

  // MARK: Reading

  /// The next line that is there.
  package func next() -> LogLine? {
    while true {
      if let line = reader?.next() {
        if isWanted(line) { return line }
        continue
      }
      guard let later = nextRun() else {
        guard !holdsPartial, let line = reader?.rest() else { return nil }
        if isWanted(line) { return line }
        continue
      }
      // What came between the two looks: when a later run is there, this one writes no more.
      if let line = reader?.next() ?? reader?.rest() {
        if isWanted(line) { return line }
        continue
      }
      (missing, wasCut) = (takeMissing(), takeCut())
      open(later)
    }
  }

  /// Takes back the line that it gave last.
  package func putBack(_ line: LogLine) { reader?.putBack(line) }

  /// Whether a file was cut short since the last time this was asked.
  package func takeCut() -> Bool {
    defer { wasCut = false }
    return reader?.stream.takeCut() == true || wasCut
  }

  /// Bytes that could not be shown since the last time this was asked.
  package func takeMissing() -> UInt64 {
    defer { missing = 0 }
    return missing + (reader?.stream.takeMissing() ?? 0)
  }

  /// No further line will come of the run that was asked for.
  package var isOver: Bool {
    guard case .only(let wanted) = runs else { return false }
    return isThere(wanted + 1) || laterRuns().contains { $0 > wanted }
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
    // Asked for by its number, as a listing may miss it. Without following, those that there were are all.
    var following = (run ?? -1) + 1
    if run == nil, case .only(let wanted) = runs { following = wanted }
    if follows || following <= lastRun ?? -1, isNext(following), isThere(following) { return following }
    return laterRuns().first(where: isNext)
  }

  private func isThere(_ run: Int) -> Bool { tree.has(process, run) }

  /// Runs behind a number that is left out, as where a run could not be begun. There may be a million and a look at the
  /// folder for each would take long, so that is done now and then only.
  private func laterRuns() -> [Int] {
    if known.last ?? -1 <= run ?? -1, follows, Clock.now > looked + 500_000_000 {
      (known, looked) = (Self.numbers(process, tree), Clock.now)
    }
    return known.last ?? -1 > run ?? -1 ? known : []
  }

  private func isWanted(_ line: LogLine) -> Bool {
    guard let since, !isNewEnough else { return true }
    if line.startsLine { isLeftOut = line.time < since }
    // Once they are new enough they stay so, whatever the clock does.
    isNewEnough = !isLeftOut
    return isNewEnough
  }
}
