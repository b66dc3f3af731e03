import DockerEngineClient
import Glibc
import LinuxKernel
import TaskStore

/// Makes the containers of a launch, and knows whether there may be one that nobody has seen.
///
/// A request to create is not taken back by closing its connection: the engine may go on with it. So its answer is waited
/// for, by a task that is to be stopped too, as long as an engine that works ever needs.
final class DockerCreation {
  private let engine: DockerEngine
  /// A request was sent, and what becomes of it is not known.
  private(set) var isUncertain = false

  /// How long an answer is waited for after a signal, in nanoseconds.
  private static let timeout: UInt64 = 5_000_000_000
  /// How long a name may be on its way to or from a container of an earlier attempt.
  private static let settling: UInt64 = 15_000_000_000

  init(_ engine: DockerEngine) { self.engine = engine }

  /// Creates a container with this name. One that has it from an earlier attempt of the very task gives way; somebody
  /// else's is left alone, and is the failure.
  func create(
    _ request: ContainerCreateRequest, name: String, for owner: DockerOwnership, until signals: SharedDescriptor
  ) throws(ExecutorFailure) -> DockerEngine.CreatedContainer {
    let deadline = Clock.now + DockerCreation.settling
    var isWaiting = false
    while !isReadable(signals.rawValue) {
      do throws(DockerEngineError) {
        guard let made = try answer(request, name, signals) else { break }
        return made
      } catch {
        guard error.status == 409, Clock.now < deadline else {
          isUncertain = isUncertain || isWaiting
          throw ExecutorFailure(error, hint: DockerCreation.hint(error.status, error.engineMessage ?? ""))
        }
      }
      isWaiting = try !giveWay(name, owner)
      if isWaiting { CurrentProcess.pause(milliseconds: 100) }
    }
    isUncertain = isUncertain || isWaiting
    throw ExecutorFailure(.stopped, "stopped while the Docker engine was asked to create container \(name)")
  }

  /// What may help, by the engine's words: what it has not found may be a path of the host, the image, one for a platform, a
  /// network, another container.
  static func hint(_ status: Int?, _ message: String) -> String? {
    if status == 400, message.utf8.holds("bind source path does not exist".utf8) {
      return "nothing is made on the host for a task: make it before"
    }
    guard status == 404 else { return nil }
    let words = message.lowercased().utf8
    if words.holds("no such image".utf8) { return "the image may have been removed meanwhile; run again" }
    if words.holds("does not match the specified platform".utf8) {
      return "the engine has the image for another platform; the parameter {\"name\": \"pull\", \"value\": \"always\"} "
        + "gets the one that is asked for, where there is one"
    }
    return nil
  }

  /// The engine's answer; `nil` when there was none and the task is to be stopped.
  private func answer(
    _ request: ContainerCreateRequest, _ name: String, _ signals: SharedDescriptor
  ) throws(DockerEngineError) -> DockerEngine.CreatedContainer? {
    // What is asked before may be interrupted.
    _ = try engine.apiVersion()
    let interrupt = engine.interrupt
    defer { engine.interrupt = interrupt }
    engine.interrupt = nil
    let pending = try engine.beginCreate(request, name: name)
    isUncertain = true
    var limit: UInt64?
    do throws(DockerEngineError) {
      while Clock.now < limit ?? .max {
        if let made = try pending.advance() {
          isUncertain = false
          return made
        }
        if limit == nil, isReadable(signals.rawValue) { limit = Clock.now + DockerCreation.timeout }
        let due = min(pending.deadline ?? .max, limit ?? .max, Clock.now + 1_000_000_000)
        _ = try? waitUntilReady(
          pending.descriptor, read: pending.interest.contains(.read), write: pending.interest.contains(.write),
          timeoutMilliseconds: Int32((due - min(due, Clock.now) + 999_999) / 1_000_000),
          interrupt: limit == nil ? signals.rawValue : nil)
      }
    } catch {
      // A refusal is an answer.
      if error.status != nil { isUncertain = false }
      guard limit != nil else { throw error }
      return nil
    }
    pending.cancel()
    return nil
  }

  /// Looks at who has the name. False when nobody can be seen: a request of an executor before this one is under way, or
  /// a container is being removed.
  private func giveWay(_ name: String, _ owner: DockerOwnership) throws(ExecutorFailure) -> Bool {
    let holder: ContainerDetails
    do throws(DockerEngineError) { holder = try engine.inspectContainer(named: name) } catch {
      if error.status == 404 { return false }
      throw ExecutorFailure(error)
    }
    guard owner.holds(holder) else {
      throw ExecutorFailure(
        .failed, "the name \(name) is taken by a container that is not this task's (\(holder.id.short))",
        hint: "`docker inspect \(name)` shows whose it is; another --task-id gives another name")
    }
    do throws(DockerEngineError) { try engine.removeContainer(holder.id, force: true, volumes: true) } catch {
      if error.status == 404 || error.status == 409 { return false }
      throw ExecutorFailure(error)
    }
    return true
  }
}
