import DockerEngineClient

/// What makes a container of the engine a task's own.
///
/// Labels alone do not: an image hands its labels on to every container that is made from it, and `docker commit` makes
/// such an image from a container of ours. A name is never in an image.
package struct DockerOwnership {
  package let taskID: String
  package let nonce: String

  /// For a search; what it finds is to be looked at with `holds`.
  package var labels: [String] { [DockerLabels.taskID + "=" + taskID, DockerLabels.nonce + "=" + nonce] }

  /// The name of a task's container.
  package static func name(_ taskID: String) -> String { "aurora-" + taskID }
  /// The name of the one that is only looked into: of no task's container, whatever the ids.
  static func probeName(_ taskID: String) -> String { "aurora.probe-" + taskID }

  package func holds(_ container: ContainerSummary) -> Bool { holds(container.labels, container.names) }
  package func holds(_ container: ContainerDetails) -> Bool { holds(container.spec.labels, [container.name]) }

  private func holds(_ labels: [String: String], _ names: [String]) -> Bool {
    DockerOwnership.task(labels, names) == taskID && labels[DockerLabels.nonce] == nonce
  }

  /// The task that a container says it is of, when its name says so too.
  package static func task(_ labels: [String: String], _ names: [String]) -> String? {
    guard let id = labels[DockerLabels.taskID] else { return nil }
    // The engine writes names with a slash before them.
    return names.contains("/" + name(id)) || names.contains("/" + probeName(id)) ? id : nil
  }
}
