import StrictJSON

/// A task document as it was read: checked as far as possible before its templates are bound.
package struct TaskDocument: Sendable {
  /// Which of the three shapes it has.
  package enum Shape: String, Sendable {
    /// As `aurora job inspect --write-json` prints a job.
    case job
    /// A task with its role and the number of its instance.
    case instance
    /// A task alone.
    case task

    var record: RecordType {
      switch self {
      case .job: JobFields.record
      case .instance: InstanceFields.record
      case .task: BareTaskFields.record
      }
    }
  }

  package let shape: Shape
  /// As it was read.
  package let json: JSON
  /// Names of ports whose numbers must be given: those that templates and health checks mention, aliases followed, each
  /// once.
  package let referencedPorts: [String]
  /// Images whose digests templates ask for; their `value` is empty.
  package let referencedImages: [Bindings.DockerImage]
  /// With everything bound that the document itself says.
  private let draft: TaskSpecification

  /// The role that the document names; nil for a bare task.
  package var role: String? { draft.role }
  /// The number of the instance, when the document has one.
  package var instance: Int64? { shape == .instance ? InstanceFields.instance.integer(in: json) : nil }
  /// The task's name, in which references may still stand.
  package var name: String { draft.name }
  package var cluster: String? { draft.cluster }
  package var environment: String? { draft.environment }
  package var jobName: String? { draft.jobName }
  /// Names of the processes in the order of the document, in which references may still stand.
  package var processNames: [String] { draft.processes.map(\.name) }
  /// The container, in which references may still stand.
  package var container: ContainerChoice { draft.container }

  /// Reads a document and says everything that is wrong with it at once.
  ///
  /// - Returns: no document when one of the diagnostics is an error. They are in the order of the text.
  package static func decode(_ bytes: [UInt8]) -> (document: TaskDocument?, diagnostics: [Diagnostic]) {
    let json: JSON
    do {
      json = try JSON(parsing: bytes)
    } catch {
      return (nil, [Diagnostic(.syntax, at: error.position, path: "", error.message)])
    }
    guard json.members != nil else {
      return (nil, [Diagnostic(.type, at: json.position, path: "", "expected an object, found \(json.kind)")])
    }
    let shape = shape(of: json)
    var binder = TemplateBinder(bindings: nil)
    let provisional = binder.bind(json, as: shape.record)
    var diagnostics = binder.diagnostics
    diagnostics += DocumentChecker.check(provisional, as: shape.record, isProvisional: true)
    let aliases = announce(of: provisional)?.portmap ?? []
    let ports = PortMap(aliases: aliases, assigned: [:])
    diagnostics += portDiagnostics(ports, aliases: aliases, in: json)
    var builder = SpecificationBuilder(provisional, shape: shape, isProvisional: true, ports: ports)
    let draft = builder.build()
    diagnostics += builder.diagnostics
    diagnostics.sort { ($0.position.line, $0.position.column) < ($1.position.line, $1.position.column) }
    guard !diagnostics.hasErrors else { return (nil, diagnostics) }
    let document = TaskDocument(
      shape: shape, json: json, referencedPorts: ends(of: binder.portNames + builder.neededPorts, ports),
      referencedImages: binder.images, draft: draft)
    return (document, diagnostics)
  }

  /// Binds the templates, and makes the task of it when nothing is wrong.
  ///
  /// - Returns: errors only; what `decode` warned of is not repeated.
  package func bind(_ bindings: Bindings) -> (task: TaskSpecification?, diagnostics: [Diagnostic]) {
    let (bound, ports, found) = bindTree(bindings)
    var diagnostics = found
    var builder = SpecificationBuilder(bound, shape: shape, isProvisional: false, ports: ports)
    var task = builder.build()
    diagnostics += builder.diagnostics.filter { $0.severity == .error }
    task.taskID = bindings.taskID
    if let role = bindings.role {
      task.role = role
      if let problem = TextRule.role.problem(with: Array(role.utf8)) {
        // The document's own has a place, another came from the command line.
        let isOwn = self.role?.utf8.elementsEqual(role.utf8) == true
        diagnostics.append(
          Diagnostic(
            .value, at: isOwn ? JobFields.role.position(in: json) : .none, path: isOwn ? "role" : "",
            "the role \(role.quotedForMessage) \(problem)"))
      }
    }
    task.instance = bindings.instance ?? instance ?? 0
    task.cluster = bindings.cluster ?? task.cluster
    task.environment = bindings.environment ?? task.environment
    diagnostics.sort { ($0.position.line, $0.position.column) < ($1.position.line, $1.position.column) }
    return (diagnostics.hasErrors ? nil : task, diagnostics)
  }

  /// Binds the templates to stand-ins for what only a run knows, and says what would be wrong with any.
  ///
  /// - Parameter custom: as in `Bindings`.
  package func check(custom: [(String, String)] = []) -> [Diagnostic] { standIn(custom: custom).diagnostics }

  /// The task with such stand-ins, when nothing is wrong.
  package func standIn(custom: [(String, String)] = []) -> (task: TaskSpecification?, diagnostics: [Diagnostic]) {
    var ports: [String: Int] = [:]
    for (index, name) in referencedPorts.enumerated() { ports[name] = 31_000 + index }
    let digest = "@sha256:" + String(repeating: "0", count: 64)
    let images = referencedImages.map {
      Bindings.DockerImage(name: $0.name, tag: $0.tag, value: $0.name + digest)
    }
    return bind(
      Bindings(
        taskID: "task-0", role: role ?? "nobody", hostname: "localhost", cluster: cluster ?? "cluster", ports: ports,
        custom: custom, dockerImages: images))
  }

  /// Where a Docker task has its parameter of this number, or its container.
  package func dockerPlace(parameter: Int? = nil) -> (position: JSON.Position, path: String) {
    guard let container = JobFields.container.object(in: json),
      let (option, inner, isWrapped) = ContainerFields.choice.unwrap(container)
    else { return (json.position, "") }
    let path = isWrapped ? "container.\(option.key)" : "container"
    let parameters = inner[DockerFields.parameters]?.array ?? []
    guard let parameter, parameters.indices.contains(parameter) else { return (inner.position, path) }
    return (parameters[parameter].position, "\(path).parameters[\(parameter)]")
  }

  /// The document with its templates bound, as JSON.
  package func rendered(_ bindings: Bindings) -> (json: JSON?, diagnostics: [Diagnostic]) {
    let (bound, _, diagnostics) = bindTree(bindings)
    return (diagnostics.hasErrors ? nil : bound, diagnostics)
  }

  private func bindTree(_ bindings: Bindings) -> (bound: JSON, ports: PortMap, diagnostics: [Diagnostic]) {
    // Aliases of ports may themselves hold references, though none to ports.
    var first = TemplateBinder(bindings: nil)
    prepare(&first, bindings)
    let aliases = Self.announce(of: first.bind(json, as: shape.record))?.portmap ?? []
    let ports = PortMap(aliases: aliases, assigned: bindings.ports)
    var binder = TemplateBinder(bindings: bindings, ports: ports)
    prepare(&binder, bindings)
    let bound = binder.bind(json, as: shape.record)
    var diagnostics = binder.diagnostics
    diagnostics += DocumentChecker.check(bound, as: shape.record, isProvisional: false)
      .filter { $0.severity == .error }
    diagnostics += Self.portDiagnostics(ports, aliases: aliases, in: json)
    return (bound, ports, diagnostics)
  }

  private func prepare(_ binder: inout TemplateBinder, _ bindings: Bindings) {
    binder.role = bindings.role ?? role
    binder.cluster = bindings.cluster ?? cluster
    binder.instance = bindings.instance ?? instance
  }

  // MARK: What the shapes have in common

  /// A document with a `task` is an instance when it says so or has nothing of a job; without, it is the task itself.
  private static func shape(of json: JSON) -> Shape {
    guard let members = json.members, json["task"] != nil else { return .task }
    if json["instance"] != nil { return .instance }
    return members.contains { JobFields.isJobKey($0.key) } ? .job : .instance
  }

  /// `announce` of any shape, with the portmap that it has by default.
  static func announce(of document: JSON) -> Announce? {
    guard let json = JobFields.announce.object(in: document) else { return nil }
    let primary = AnnounceFields.primaryPort.text(in: json) ?? "http"
    var portmap = [PortAlias(name: "aurora", target: primary)]
    if let members = AnnounceFields.portmap.object(in: json)?.members {
      portmap = members.compactMap { member in
        member.value.string.map { PortAlias(name: member.key, target: $0) }
      }
    }
    return Announce(primaryPort: primary, portmap: portmap, zkPath: AnnounceFields.zkPath.text(in: json))
  }

  private static func portDiagnostics(_ ports: PortMap, aliases: [PortAlias], in document: JSON) -> [Diagnostic] {
    guard let json = JobFields.announce.object(in: document) else { return [] }
    let position = AnnounceFields.portmap.position(in: json)
    var diagnostics = ports.loops.map {
      Diagnostic(.value, at: position, path: "announce.portmap", "ports that stand for each other: \($0)")
    }
    if aliases.count > PortMap.limit {
      let message = "has \(aliases.count) names; at most \(PortMap.limit) are possible"
      diagnostics.append(Diagnostic(.value, at: position, path: "announce.portmap", message))
    }
    return diagnostics
  }

  private static func ends(of names: [String], _ ports: PortMap) -> [String] {
    var seen: Set<[UInt8]> = []
    return names.compactMap { name in
      guard case .name(let end) = ports.end(of: name) else { return nil }
      return seen.insert(Array(end.utf8)).inserted ? end : nil
    }
  }
}
