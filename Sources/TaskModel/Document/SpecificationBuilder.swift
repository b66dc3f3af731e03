import StrictJSON

/// Makes the typed task out of a document that was checked against its table, and says what its parts do not agree on.
struct SpecificationBuilder {
  let document: JSON
  let shape: TaskDocument.Shape
  /// Whether references may still stand in texts.
  let isProvisional: Bool
  let ports: PortMap
  private(set) var diagnostics: [Diagnostic] = []
  /// Names of ports that health checks need, with their places.
  private(set) var neededPorts: [String] = []

  init(_ document: JSON, shape: TaskDocument.Shape, isProvisional: Bool, ports: PortMap) {
    self.document = document
    self.shape = shape
    self.isProvisional = isProvisional
    self.ports = ports
  }

  /// The task's own object and the path to it.
  private var task: (json: JSON, path: String) {
    if shape == .task { return (document, "") }
    return (JobFields.task.object(in: document) ?? JSON(.object([]), position: document.position), "task")
  }

  mutating func build() -> TaskSpecification {
    let (task, taskPath) = task
    let container = container()
    let processes = processes(of: task, path: taskPath)
    checkEmpty(task, path: taskPath, count: TaskFields.processes.list(in: task).count, container: container)
    let orders = orders(of: task)
    var specification = TaskSpecification(
      name: name(of: task, path: taskPath),
      role: shape == .task ? nil : JobFields.role.text(in: document),
      cluster: shape == .job ? JobFields.cluster.text(in: document) : nil,
      environment: shape == .task ? nil : JobFields.environment.text(in: document),
      jobName: shape == .job ? JobFields.name.text(in: document) ?? TaskFields.name.text(in: task) : nil,
      instance: shape == .instance ? InstanceFields.instance.integer(in: document) ?? 0 : 0,
      processes: processes, orders: orders, resources: resources(of: task, path: taskPath), container: container,
      healthCheck: taskHealthCheck(), lifecycle: lifecycle, announce: TaskDocument.announce(of: document),
      ports: ports.numbers)
    TaskFields.table.read(task, into: &specification)
    adviseOnPlaces(specification, task, path: taskPath)
    adviseOnMemory(specification, task, path: taskPath)
    return specification
  }

  // MARK: The task

  private mutating func name(of task: JSON, path: String) -> String {
    if let name = TaskFields.name.text(in: task) { return name }
    let first = TaskFields.processes.list(in: task).first.flatMap { ProcessFields.name.text(in: $0) }
    if let first { return first }
    if shape == .job, let name = JobFields.name.text(in: document) { return name }
    if TaskFields.processes.list(in: task).isEmpty {
      report(.missing, task.position, path, "\"name\" is missing, and there is no process to name the task after")
    }
    return ""
  }

  /// A task without processes runs the image's own command, so there must be an image.
  private mutating func checkEmpty(_ task: JSON, path: String, count: Int, container: ContainerChoice) {
    if count > 0 { return }
    if case .mesos(let mesos) = container, mesos.image == nil {
      report(
        .missing, TaskFields.processes.position(in: task), joined(path, "processes"),
        "no process, and no image whose own command could be run")
    }
  }

  private mutating func processes(of task: JSON, path: String) -> [ProcessDefinition] {
    let items = TaskFields.processes.list(in: task)
    var definitions: [ProcessDefinition] = []
    var rules: [PlanRules.Process] = []
    var afters: [(process: Int, mentions: [PlanRules.Mention])] = []
    definitions.reserveCapacity(items.count)
    for (index, item) in items.enumerated() {
      // One without a name was reported, and nothing can speak of it.
      guard let name = ProcessFields.name.text(in: item) else { continue }
      let itemPath = "\(joined(path, "processes"))[\(index)]"
      let definition = definition(of: item, name: name, path: itemPath)
      rules.append(
        PlanRules.Process(
          name: name, isFinal: definition.isFinal, isDaemon: definition.isDaemon, isEphemeral: definition.isEphemeral,
          hasHealthCheck: ProcessFields.health.object(in: item) != nil,
          position: ProcessFields.name.position(in: item), path: itemPath))
      let mentions = prerequisites(in: item, path: itemPath)
      if !mentions.isEmpty { afters.append((definitions.count, mentions)) }
      definitions.append(definition)
    }
    var plan = PlanRules(rules)
    for (index, constraint) in TaskFields.constraints.list(in: task).enumerated() {
      let orderPath = "\(joined(path, "constraints"))[\(index)]"
      let mentions = mentions(ConstraintFields.order, in: constraint, path: orderPath)
      plan.addOrder(
        mentions, position: ConstraintFields.order.position(in: constraint), path: joined(orderPath, "order"))
    }
    for (process, mentions) in afters {
      for mention in mentions { plan.addAfter(process, mention) }
    }
    plan.checkLoops()
    diagnostics += plan.diagnostics
    return definitions
  }

  /// What is asked for stays in the document; what is given is more.
  private mutating func adviseOnMemory(_ specification: TaskSpecification, _ task: JSON, path: String) {
    guard let resources = specification.resources, resources.ram < Resources.leastMemory else { return }
    let member = task["resources"]?["ram"]
    diagnostics.append(
      Diagnostic(
        .advice, severity: .warning, at: member?.position ?? task.position, path: joined(path, "resources.ram"),
        "\(resources.ram) bytes are too few for a container: it gets \(Resources.leastMemory >> 20) MiB, as with Mesos")
    )
  }

  /// Daemons keep their places: where they take all of them, nothing else ever runs.
  private mutating func adviseOnPlaces(_ specification: TaskSpecification, _ task: JSON, path: String) {
    let places = specification.maxConcurrency
    guard places > 0 else { return }
    let regular = specification.processes.filter { !$0.isFinal }
    let daemons = regular.filter(\.isDaemon)
    guard daemons.count >= places, daemons.count < regular.count else { return }
    let names = daemons.prefix(3).map(\.name.quotedForMessage).joined(separator: ", ")
    diagnostics.append(
      Diagnostic(
        .advice, severity: .warning, at: task[TaskFields.maxConcurrency]?.position ?? task.position,
        path: joined(path, TaskFields.maxConcurrency),
        "\(places) places may all be taken by daemons (\(names)), and then nothing else runs"))
  }

  private func mentions(_ field: Field, in object: JSON, path: String) -> [PlanRules.Mention] {
    field.list(in: object).enumerated().compactMap { index, item in
      guard let name = item.string else { return nil }
      return PlanRules.Mention(name: name, position: item.position, path: "\(path).\(field.name)[\(index)]")
    }
  }

  /// `after`: names in a list, or as keys with what they have to come to.
  private func prerequisites(in item: JSON, path: String) -> [PlanRules.Mention] {
    guard let members = ProcessFields.after.object(in: item)?.members else {
      return mentions(ProcessFields.after, in: item, path: path)
    }
    return members.compactMap { member in
      guard let word = member.value.string, let condition = Prerequisite.Condition(rawValue: word) else { return nil }
      return PlanRules.Mention(
        name: member.key, condition: condition, position: member.position,
        path: "\(path).\(ProcessFields.after.name).\(member.key)")
    }
  }

  private func orders(of task: JSON) -> [[String]] {
    TaskFields.constraints.list(in: task).map { ConstraintFields.order.strings(in: $0) }.filter { $0.count > 1 }
  }

  private mutating func definition(of item: JSON, name: String, path: String) -> ProcessDefinition {
    var definition = ProcessFields.table.value(of: item)
    definition.name = name
    definition.after = prerequisites(in: item, path: path).map { Prerequisite($0.name, $0.condition) }
    definition.healthCheck = ProcessFields.health.object(in: item).flatMap {
      healthCheck($0, path: joined(path, ProcessFields.health.name), mustHavePort: true)
    }
    return definition
  }

  private mutating func resources(of task: JSON, path: String) -> Resources? {
    guard let json = TaskFields.resources.object(in: task) else { return nil }
    let resources = ResourceFields.table.value(of: json)
    if (1..<(1 << 20)).contains(resources.disk) {
      report(
        .value, json[ResourceFields.disk]?.position ?? json.position, joined(path, "resources.disk"),
        "\(resources.disk) bytes are less than 1 MiB", hint: "0 is no limit")
    }
    return resources
  }

  // MARK: Health and lifecycle

  /// The task's own: a command when there is one, else a connection, else HTTP when its port has a number, else nothing
  /// (aurora.md §6.7).
  private mutating func taskHealthCheck() -> HealthCheck? {
    let config = JobFields.health.object(in: document)
    return healthCheck(config ?? JSON(.object([])), path: JobFields.health.name, mustHavePort: false)
  }

  /// - Parameter mustHavePort: whether a GET on a port that has no number is an error; Aurora's jobs have such a check
  ///   by default, and it is none then.
  private mutating func healthCheck(_ config: JSON, path: String, mustHavePort: Bool) -> HealthCheck? {
    let checker = HealthFields.checker.object(in: config) ?? JSON(.object([]))
    let probe: HealthCheck.Probe
    if let shell = HealthCheckerFields.shell.object(in: checker) {
      probe = .shell(command: ShellCheckFields.command.text(in: shell) ?? "")
    } else if let tcp = HealthCheckerFields.tcp.object(in: checker) {
      guard let port = port(TCPCheckFields.port, in: tcp, path: path, isNeeded: true) else { return nil }
      probe = .tcp(port: port)
    } else {
      let http = HealthCheckerFields.http.object(in: checker) ?? JSON(.object([]), position: config.position)
      let isNamed = HTTPCheckFields.port.text(in: http).map { !$0.utf8.elementsEqual("health".utf8) } ?? false
      let isNeeded = mustHavePort || isNamed
      guard let port = port(HTTPCheckFields.port, in: http, path: path, isNeeded: isNeeded) else { return nil }
      probe = .http(
        port: port, endpoint: rooted(HTTPCheckFields.endpoint.text(in: http)),
        expectedResponse: HTTPCheckFields.expectedResponse.text(in: http) ?? "",
        expectedResponseCode: HTTPCheckFields.expectedResponseCode.int(in: http) ?? 0)
    }
    var check = HealthFields.table.value(of: config)
    check.probe = probe
    return check
  }

  /// The number of the port that a check names. One that is needed and has none is an error once the ports are known.
  private mutating func port(_ field: Field, in check: JSON, path: String, isNeeded: Bool) -> Int? {
    let name = field.text(in: check) ?? "health"
    switch ports.end(of: name) {
    case .number(let number): return number
    case .loop: return nil  // reported with the aliases
    case .name(let end):
      guard isNeeded else { return nil }
      if Int(end) != nil {
        report(
          .value, field.position(in: check), path, "\(end.quotedForMessage) is no port: from 1 to 65535, or a name")
        return nil
      }
      neededPorts.append(end)
      if !isProvisional {
        report(
          .unbound, field.position(in: check), path,
          "the health check asks the port \(end.quotedForMessage), which has no number",
          hint: "--port \(end):NUMBER gives it one")
      }
      return nil
    }
  }

  /// A job has it unless it says otherwise; off where its port has no number (aurora.md §1.5, §6.5).
  private var lifecycle: HTTPLifecycle? {
    let config: JSON
    if let lifecycle = JobFields.lifecycle.object(in: document) {
      guard let http = LifecycleFields.http.object(in: lifecycle) else { return nil }
      config = http
    } else if shape == .job {
      config = JSON(.object([]))
    } else {
      return nil
    }
    guard let port = ports[HTTPLifecycleFields.port.text(in: config) ?? "health"] else { return nil }
    var lifecycle = HTTPLifecycleFields.table.value(of: config)
    lifecycle.port = port
    lifecycle.gracefulShutdownEndpoint = rooted(lifecycle.gracefulShutdownEndpoint)
    lifecycle.shutdownEndpoint = rooted(lifecycle.shutdownEndpoint)
    return lifecycle
  }

  private func rooted(_ endpoint: String?) -> String {
    let text = endpoint ?? ""
    return text.utf8.first == UInt8(ascii: "/") ? text : "/" + text
  }

  // MARK: Reports

  private mutating func container() -> ContainerChoice {
    guard let json = JobFields.container.object(in: document) else { return .mesos(MesosContainer()) }
    var builder = ContainerBuilder(isProvisional: isProvisional)
    let container = builder.build(json)
    diagnostics += builder.diagnostics
    return container
  }

  private mutating func report(
    _ kind: Diagnostic.Kind, _ position: JSON.Position, _ path: String, _ message: String, hint: String? = nil
  ) {
    diagnostics.append(Diagnostic(kind, at: position, path: path, message, hint: hint))
  }

  private func joined(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
}
