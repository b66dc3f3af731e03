import Images
import LaunchModel
import TaskModel
import TaskStore

/// What a run would refuse of a Docker container before it asks the engine for anything, each fault with its place.
package enum DockerFaults {
  private static let limit = 100

  /// None for a task that is no Docker task.
  package static func of(_ task: TaskSpecification, _ document: TaskDocument, _ settings: RunSettings) -> [Diagnostic] {
    guard case .docker(var container) = task.container else { return [] }
    var found: [Diagnostic] = []
    do throws(ReferenceError) { _ = try ImageReference(container.image) } catch {
      found.append(diagnostic(ExecutorFailure(.failed, error.description), document))
    }
    // Which of the document's the ones that are left are.
    var indices = Array(container.parameters.indices)
    func remove(_ index: Int) {
      container.parameters.remove(at: index)
      indices.remove(at: index)
    }
    let known = try? Role.identity(settings.role)
    if known == nil {
      // Another host may have the role; which number it has there nobody can say here.
      for index in indices.reversed() where ["user", "u"].contains(container.parameters[index].name) { remove(index) }
    }
    let identity =
      known
      ?? Identity(name: settings.role, uid: .max, gid: .max, groupName: settings.role, supplementaryGroups: [])
    while found.count < limit {
      do throws(ExecutorFailure) {
        let request = try DockerRequest(task, container, identity, settings)
        _ = try request.boundingSet()
        let (position, path) = document.dockerPlace()
        return found
          + request.warnings.map { Diagnostic(.advice, severity: .warning, at: position, path: path, $0) }
      } catch {
        let index = error.parameter.flatMap { indices.indices.contains($0) ? $0 : nil }
        found.append(diagnostic(error, document, parameter: index.map { indices[$0] }))
        // Without it there may be more to say.
        guard let index else { return found }
        remove(index)
      }
    }
    return found
  }

  private static func diagnostic(_ failure: ExecutorFailure, _ document: TaskDocument, parameter: Int? = nil)
    -> Diagnostic
  {
    let (position, path) = document.dockerPlace(parameter: parameter)
    return Diagnostic(.value, at: position, path: path, failure.cause, hint: failure.hint)
  }
}
