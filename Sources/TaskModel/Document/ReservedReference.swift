/// The references that the executor itself answers (aurora.md §2).
enum Reserved {
  case taskID
  case user
  case port(String)
  case instance
  case hostname
  case role
  case cluster
  case image(name: String, tag: String)

  /// Whether a name starts such a reference; no member of the document is looked for then.
  static func isReserved(_ root: [UInt8]) -> Bool {
    root.elementsEqual("thermos".utf8) || root.elementsEqual("mesos".utf8) || root.elementsEqual("docker".utf8)
  }

  init?(_ reference: Reference) {
    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    if reference.isNames("thermos", "task_id") {
      self = .taskID
    } else if reference.isNames("thermos", "user") {
      self = .user
    } else if reference.isNames("mesos", "instance") {
      self = .instance
    } else if reference.isNames("mesos", "hostname") {
      self = .hostname
    } else if reference.isNames("mesos", "role") {
      self = .role
    } else if reference.isNames("mesos", "cluster") {
      self = .cluster
    } else if let indexes = reference.indexes(after: "thermos", "ports"), indexes.count == 1 {
      self = .port(text(indexes[0]))
    } else if let indexes = reference.indexes(after: "docker", "image"), indexes.count == 2 {
      self = .image(name: text(indexes[0]), tag: text(indexes[1]))
    } else {
      return nil
    }
  }

  /// What to write instead of a reserved reference that does not exist.
  static func hint(for reference: Reference) -> String {
    if case .name(let second)? = reference.steps.dropFirst().first, second.elementsEqual("ports".utf8),
      reference.steps.count == 3, case .name(let port) = reference.steps[2]
    {
      return "a port is {{thermos.ports[\(String(decoding: port, as: UTF8.self))]}}"
    }
    let known = [
      "thermos.task_id", "thermos.user", "thermos.ports[NAME]", "mesos.instance", "mesos.hostname", "mesos.role",
      "mesos.cluster", "docker.image[NAME][TAG]",
    ]
    if let nearest = NearestKey.find(reference.description, among: known) { return "did you mean {{\(nearest)}}?" }
    return "known are \(known.joined(separator: ", "))"
  }

  func value(in bindings: Bindings, ports: PortMap?, of binder: TemplateBinder) -> String? {
    switch self {
    case .taskID: bindings.taskID
    case .user, .role: binder.role
    case .instance: String(binder.instance ?? 0)
    case .hostname: bindings.hostname
    case .cluster: binder.cluster
    case .port(let name): ports?[name].map(String.init)
    case .image(let name, let tag):
      bindings.dockerImages.first {
        $0.name.utf8.elementsEqual(name.utf8) && $0.tag.utf8.elementsEqual(tag.utf8)
      }?.value
    }
  }

  /// What to do when it is not bound.
  var remedy: String? {
    switch self {
    case .user, .role: "give a role with --role USER"
    case .port(let name): "give it with --port \(name):NUMBER or --port \(name):auto"
    case .image: "it could not be resolved to a digest"
    case .cluster: "the document names no cluster; give it with --bind mesos.cluster=NAME"
    case .taskID, .instance, .hostname: nil
    }
  }
}
