import Glibc
import LaunchModel
import LinuxKernel

/// Runs from the fork to the record of their end, and their streams.
extension InitServer {
  /// How long a stream may stay open after its run has ended before it is cut off.
  private static let drainNanoseconds: UInt64 = 1_000_000_000
  private static let mostTroubles = 32
  /// What the rest of a run may take before others get their turn.
  private static let turnNanoseconds: UInt64 = 20_000_000

  func spawn(_ spec: ProcessSpec, _ descriptors: [SharedDescriptor]) {
    let key = RunKey(spec.process, spec.run)
    // Asked twice, as an executor may that lost the answer: the run is what it is.
    if let run = runs[key] { return tell(.ready(.own, [RunReport(key, run.state)])) }
    do throws(Errno) {
      let streams = try LogStreams(spec.logMode, descriptors, for: starter.restrictions, null: null)
      let child = try starter.fork(spec, output: streams.output, errors: streams.errors)
      let run = Run(key: key, child: child)
      runs.add(run)
      run.pumps = streams.pumps
      for pump in run.pumps { pump.token = try watch(pump.pipe.rawValue, .log(run, pump)) }
      run.failureToken = try watch(child.failure.rawValue, .failure(run))
      tell(.forked(key, pid: child.pid))
    } catch {
      tell(.cannotStart(key, StartFailure(.setup, "cannot start a process: \(error)")))
    }
  }

  func settle(_ run: Run, token: UInt64) {
    guard let failure = run.failure else { return }
    let number = failure.rawValue
    guard run.settleStart() else { return }
    unwatch(number, token: token)
    if run.startFailure == nil, run.go == nil { tell(.running(run.key)) }
  }

  func reapAndTell() {
    while let pid = Children.peekEnded() {
      let run = runs.takeEnded(pid)
      // While the leader is not reaped its number stands for this group and no other.
      if run != nil { Children.signal(-pid, SIGKILL) }
      guard let (waitStatus, use) = Children.reap(pid) else { continue }
      if let run { finish(run, waitStatus, use) }
    }
    if tellsStrays { countStrays() }
    if owesAllGone, !Children.areLeft, runs.areRecorded {
      owesAllGone = false
      work?.endKilling()
      tell(.allGone)
    }
  }

  private func finish(_ run: Run, _ waitStatus: Int32, _ use: ResourceUse) {
    var record = ExitRecord(key: run.key, waitStatus: waitStatus, bootTime: Clock.now, wallTime: Clock.wall)
    record.userMicroseconds = use.userMicroseconds
    record.systemMicroseconds = use.systemMicroseconds
    record.maximumResidentBytes = use.maximumResidentBytes
    if let failure = run.failure {
      _ = run.settleStart()
      // A process that came and went before we looked was running all the same.
      if run.command == nil {
        unwatch(failure.rawValue, token: run.failureToken)
        if run.startFailure == nil, run.go == nil { tell(.running(run.key)) }
      }
    }
    record.startFailure = run.startFailure
    run.end = record
    if let (id, channel) = run.command { return tell(.executed(id, record), to: channel) }
    let end = Clock.now + InitServer.turnNanoseconds
    for pump in run.pumps {
      pump.drain(through: buffer, until: end)
      tellTrouble(of: pump, run)
    }
    if run.pumps.allSatisfy(\.isAtEnd) { return conclude(run) }
    run.cutAt = Clock.now + InitServer.drainNanoseconds
    // A process that left the group may still hold the log: it goes with the run.
    work?.searchHolders(of: run.pumps.filter { !$0.isAtEnd }.map(\.pipe), until: run.cutAt)
    try? workTimer.set(Clock.now)
    draining.append(run)
    // Each run has its own second: an end after it must not put it off.
    if draining.count == 1 { try? drainTimer.set(run.cutAt) }
  }

  private func tellTrouble(of pump: LogPump, _ run: Run) {
    if let trouble = pump.takeTrouble() { tellTrouble(run.key, trouble) }
  }

  private func tellTrouble(_ key: RunKey, _ what: String) {
    if connections.isEmpty, untoldTroubles.count < InitServer.mostTroubles { untoldTroubles.append((key, what)) }
    tell(.logTrouble(key, what))
  }

  func drainLog(_ run: Run, _ pump: LogPump, token: UInt64) {
    pump.pump(through: buffer)
    tellTrouble(of: pump, run)
    if pump.isAtEnd { unwatch(pump.pipe.rawValue, token: token) }
    if run.end != nil, !run.isRecorded, run.pumps.allSatisfy(\.isAtEnd) {
      conclude(run)
      reapAndTell()
    }
  }

  /// Streams whose run ended a while ago: what holds them cannot be reached, so they are closed.
  func cutStreams() {
    while let run = draining.first, run.isRecorded || run.cutAt <= Clock.now {
      draining.removeFirst()
      // What many rotations have kept waiting.
      for pump in run.pumps { pump.drain(through: buffer, until: nil) }
      conclude(run)
    }
    try? drainTimer.set(draining.first?.cutAt)
    reapAndTell()
  }

  /// Writes the end down, then tells it.
  private func conclude(_ run: Run) {
    guard let record = run.end, !run.isRecorded else { return }
    run.isRecorded = true
    work?.forget(run.pumps.map(\.pipe))
    for pump in run.pumps { unwatch(pump.pipe.rawValue, token: pump.token) }
    run.pumps = []
    do throws(Errno) { try exits.write(record.frame) } catch {
      tellTrouble(run.key, "its end could not be written down: \(error)")
    }
    tell(.ended(record))
  }
}
