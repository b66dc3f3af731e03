import Glibc
import LinuxKernel

/// The binary that workers are started from.
package struct WorkerBinary: Sendable {
  enum Source: Sendable {
    case path(String)
    case descriptor(SharedDescriptor)
  }
  let source: Source

  /// This program itself.
  package static let current = WorkerBinary(source: .path(CurrentProcess.program))

  init(source: Source) { self.source = source }

  /// The program at a path of the host.
  package init(path: String) { source = .path(path) }

  /// An open program.
  package init(descriptor: SharedDescriptor) { source = .descriptor(descriptor) }
}

/// A worker that runs, seen from the executor: nothing that it says is believed further than its form was checked.
final class WorkerProcess {
  private let child: ChildProcess
  /// Becomes readable when the worker has said something, or ended.
  let reports: SharedDescriptor
  /// The other end of its standard error, which nobody reads: open, so that a last word of its runtime does not end it
  /// before it has told how it ended.
  private let errors: SharedDescriptor
  /// The worker's pid, as the host counts.
  var pid: Int32 { child.pid }
  private let job: UnpackWorker.Job
  private var deadline = Clock.now + WorkerProcess.maximumNanoseconds
  private var received: [UInt8] = []
  private var reaped = false

  enum State {
    case running
    case finished([UInt8])
    case failed(ImageError)
  }
  private(set) var state = State.running
  var isRunning: Bool { if case .running = state { true } else { false } }
  /// Bytes that the worker has read so far, by its own word.
  private(set) var progress: UInt64 = 0

  /// One that is taken over could also just wait.
  private static let maximumNanoseconds: UInt64 = 1800 * 1_000_000_000

  /// Starts a worker in namespaces of its own. `root` is a detached mount that becomes its root; `output` is for
  /// `inflate` alone; `growth` tells of a source that is still being written.
  init(
    _ binary: WorkerBinary, _ request: UnpackWorker.Request, source: Int32, root: borrowing FileDescriptor,
    output: Int32? = nil, growth: Int32? = nil
  ) throws(ImageError) {
    job = request.job
    var request = request
    request.growth = growth == nil ? nil : UnpackWorker.Descriptors.root + (output == nil ? 1 : 2)
    let pipe = try kernel("make a pipe") { () throws(Errno) in try makePipe() }
    // Not a device of the host's: whoever takes the worker over could change its mode.
    let complaints = try kernel("make a pipe") { () throws(Errno) in try makePipe() }
    let executable: SpawnRequest.Executable =
      switch binary.source {
      case .path(let path): .path(path)
      case .descriptor(let shared): .descriptor(shared.rawValue)
      }
    var spawn = SpawnRequest(
      executable: executable, arguments: request.arguments,
      descriptors: [source, pipe.second.rawValue, complaints.second.rawValue, root.rawValue]
        + [output, growth].compactMap { $0 })
    spawn.namespaces = [.mount, .pid, .network, .ipc]
    spawn.newSession = true
    spawn.owners = [pipe.first, pipe.second, complaints.second]
    spawn.parentDeathSignal = SIGKILL
    do throws(SpawnError) {
      child = try spawn.spawn()
    } catch {
      throw ImageError(
        error.errno, doing: "start the unpack worker: \(error.stage)",
        hint: error.errno.code == EPERM ? "images need root" : "")
    }
    try kernel("keep a pipe") { () throws(Errno) in try pipe.first.descriptor.setNonBlocking(true) }
    reports = pipe.first
    errors = complaints.first
  }

  /// Kills what still runs. The kernel ends everything else in the worker's pid namespace with it.
  deinit { stop() }

  /// Ends the worker at once, and waits until it is gone: nothing of what it made changes after this.
  func stop() {
    guard !reaped else { return }
    reaped = true
    // A worker that cannot be killed or reaped has ended already.
    try? child.signal(SIGKILL)
    _ = try? child.wait()
  }

  /// Begins its time anew: it has waited for what comes now.
  func extend() { deadline = Clock.now + WorkerProcess.maximumNanoseconds }

  /// Takes what the worker has said. Returns whether it still runs.
  func pump() -> Bool {
    guard case .running = state else { return false }
    do throws(ImageError) {
      while true {
        let piece = try kernel("read a report") { () throws(Errno) in
          try reports.descriptor.read(upTo: 65536)
        }
        guard let piece else {
          if Clock.now > deadline { throw .invalid("the unpack worker (\(job)) took longer than half an hour") }
          return true
        }
        if piece.isEmpty {
          try ended()
          return false
        }
        received += piece
        while let message = try WorkerMessage.take(from: &received) {
          switch message {
          case .progress(let bytes): progress = bytes
          case .result(let bytes):
            state = .finished(bytes)
            stop()
            return false
          case .failure(let error): throw error
          }
        }
      }
    } catch {
      state = .failed(error)
      stop()
      return false
    }
  }

  /// The pipe was closed without a result: says how the worker ended.
  private func ended() throws(ImageError) {
    reaped = true
    let status: ExitStatus
    do throws(Errno) { status = try child.wait().status } catch {
      throw ImageError(error, doing: "wait for the unpack worker")
    }
    switch status {
    case .signaled(let signal):
      throw ImageError(
        .invalid, why: "the unpack worker (\(job)) was ended by signal \(signal)",
        hint: "it is bounded in memory and time; a corrupt or hostile image can exceed that")
    case .exited(let code):
      throw ImageError(.invalid, why: "the unpack worker (\(job)) ended with status \(code) and no report")
    }
  }

  /// What the worker made, once it has ended.
  func result() throws(ImageError) -> [UInt8] {
    switch state {
    case .finished(let bytes): return bytes
    case .failed(let error): throw error
    case .running: throw ImageError(.invalid, why: "the unpack worker (\(job)) has not ended")
    }
  }
}
