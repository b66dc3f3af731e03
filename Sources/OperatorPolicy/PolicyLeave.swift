import StrictJSON
import TaskModel

/// What a policy made of a run: kept in the journal, so that an executor that takes over goes on with the same and asks no
/// policy again.
package struct PolicyLeave: Equatable {
  /// A path as the document has it, and what it was when it was judged.
  package struct Path: Equatable {
    package var written: String
    package var resolved: String

    package init(written: String, resolved: String) {
      self.written = written
      self.resolved = resolved
    }
  }

  package var file: String
  package var digest: String
  package var paths: [Path] = []
  /// Where tasks may write on the host: what is below it may become something else at any time.
  package var writablePaths: [String] = []
  package var ceilings: [Ceiling: Int64] = [:]
  var defaultResources: Resources?

  package init(_ policy: Policy, paths: [Path]) {
    file = policy.file
    digest = policy.digest
    self.paths = paths
    writablePaths = policy.hostPaths.filter(\.isWritable).map(\.path)
    ceilings = policy.ceilings.mapValues(\.most)
    defaultResources = policy.defaultResources
  }

  /// As a result names it.
  package var source: JSON { JSON(object: [("file", JSON(file)), ("digest", JSON(digest))]) }

  package var json: JSON {
    let limits = Ceiling.allCases.compactMap { ceiling in
      ceilings[ceiling].map { (ceiling.rawValue, Optional(JSON($0))) }
    }
    return JSON(object: [
      ("file", JSON(file)), ("digest", JSON(digest)),
      ("paths", JSON(paths.map { JSON([JSON($0.written), JSON($0.resolved)]) })),
      ("writable_paths", JSON(writablePaths.map { JSON($0) })), ("ceilings", JSON(object: limits)),
      ("default_resources", defaultResources?.policyJSON),
    ])
  }

  package init?(json: JSON) {
    guard let file = json["file"]?.string, let digest = json["digest"]?.string else { return nil }
    self.file = file
    self.digest = digest
    for pair in json["paths"]?.array ?? [] {
      guard let items = pair.array, items.count == 2, let written = items[0].string, let resolved = items[1].string
      else { return nil }
      paths.append(Path(written: written, resolved: resolved))
    }
    writablePaths = (json["writable_paths"]?.array ?? []).compactMap(\.string)
    for ceiling in Ceiling.allCases { ceilings[ceiling] = json["ceilings"]?[ceiling.rawValue]?.integer }
    defaultResources = json["default_resources"].flatMap { Resources(policy: $0) }
  }

  /// What stands for a path of the document from its judgement on.
  package func resolved(_ path: String) -> String {
    paths.first { $0.written.utf8.elementsEqual(path.utf8) }?.resolved ?? path
  }

  /// The task with what the document left open, and with its paths as they were judged.
  package func applied(to task: TaskSpecification) -> TaskSpecification {
    var task = task
    if task.resources == nil {
      task.resources = defaultResources
    } else if task.resources?.pids == nil {
      task.resources?.pids = defaultResources?.pids
    }
    if let most = ceilings[.pids], let pids = task.resources?.pids { task.resources?.pids = min(pids, most) }
    // What the document asks for itself is at most the ceiling, or it was refused.
    if let most = ceilings[.finalizationWait].map(Double.init) {
      task.finalizationWait = min(task.finalizationWait, most)
      task.lifecycle = task.lifecycle.map { lifecycle in
        var lifecycle = lifecycle
        lifecycle.gracefulShutdownWait = min(lifecycle.gracefulShutdownWait, most)
        lifecycle.shutdownWait = min(lifecycle.shutdownWait, most)
        return lifecycle
      }
    }
    if case .mesos(var container) = task.container {
      container.volumes = container.volumes.map { volume in
        var volume = volume
        if case .hostPath(let path) = volume.source { volume.source = .hostPath(resolved(path)) }
        return volume
      }
      if case .profile(let path) = container.linuxInfo?.seccomp {
        container.linuxInfo?.seccomp = .profile(resolved(path))
      }
      task.container = .mesos(container)
    }
    return task
  }
}

extension Int64 {
  /// The number, at most a ceiling where there is one.
  package func atMost(_ ceiling: Int64?) -> Int64 { ceiling.map { Swift.min(self, $0) } ?? self }
}
