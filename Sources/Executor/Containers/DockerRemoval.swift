import DockerEngineClient
import LinuxKernel

/// Removes containers of ours with their anonymous volumes, as far as the engine lets us, and says what stays.
struct DockerRemoval {
  let engine: DockerEngine
  /// What a container must have to be one of those, `name=value`.
  let labels: [String]
  /// How long an engine that is away or busy is given to come back, in nanoseconds.
  var patience: UInt64 = 10_000_000_000

  /// Removes every container that has all the labels.
  func run() -> [String] {
    var problem = ""
    let deadline = Clock.now + patience
    var delay: Int32 = 50
    while true {
      do throws(DockerEngineError) {
        for container in try engine.listContainers(filters: ["label": labels]) { try remove(container.id) }
        return []
      } catch {
        problem = error.description
        // A hung engine has had its time with the first request already.
        if case .timeout = error.kind { break }
      }
      guard Clock.now < deadline else { break }
      CurrentProcess.pause(milliseconds: delay)
      delay = min(delay * 2, 1000)
    }
    return [
      "a container of this task may be left at the Docker engine: \(problem); "
        + "`aurora-executor sweep` removes it when the engine works again"
    ]
  }

  private func remove(_ id: ContainerID) throws(DockerEngineError) {
    do throws(DockerEngineError) {
      try engine.removeContainer(id, force: true, volumes: true)
    } catch  where error.status == 404 {
      // Gone meanwhile: that is what was wanted.
    }
  }
}
