import StrictJSON

/// Makes the typed task out of a document that was checked against its table, and says what its parts do not agree on.
struct SpecificationBuilder {
  let document: JSON
  let shape: TaskDocument.Shape
  /// Whether references may still stand in texts.
  let isProvisional: Bool
  let ports: PortMap
  private(set) var diagnostics: [Diagnostic] = []

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
    return TaskSpecification(
      name: name(of: task, path: taskPath),
      role: shape == .task ? nil : JobFields.role.text(in: document),
      cluster: shape == .job ? JobFields.cluster.text(in: document) : nil,
      environment: shape == .task ? nil : JobFields.environment.text(in: document),
      jobName: shape == .job ? JobFields.name.text(in: document) ?? TaskFields.name.text(in: task) : nil,
      instance: shape == .instance ? InstanceFields.instance.integer(in: document) ?? 0 : 0,
      processes: processes, orders: orders, resources: resources(of: task, path: taskPath),
      maxFailures: TaskFields.maxFailures.int(in: task) ?? 1,
      maxConcurrency: TaskFields.maxConcurrency.int(in: task) ?? 0,
      finalizationWait: TaskFields.finalizationWait.number(in: task) ?? 30,
      container: container, healthCheck: healthCheck, lifecycle: lifecycle,
      announce: TaskDocument.announce(of: document),
      maxCompletionTime: TaskFields.maxCompletionTime.number(in: task), ports: ports.numbers)
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
      let definition = definition(of: item, name: name)
      rules.append(
        PlanRules.Process(
          name: name, isFinal: definition.isFinal, isDaemon: definition.isDaemon, isEphemeral: definition.isEphemeral,
          position: ProcessFields.name.position(in: item), path: itemPath))
      let mentions = mentions(ProcessFields.after, in: item, path: itemPath)
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

  private func mentions(_ field: Field, in object: JSON, path: String) -> [PlanRules.Mention] {
    field.list(in: object).enumerated().compactMap { index, item in
      guard let name = item.string else { return nil }
      return PlanRules.Mention(name: name, position: item.position, path: "\(path).\(field.name)[\(index)]")
    }
  }

  private func orders(of task: JSON) -> [[String]] {
    TaskFields.constraints.list(in: task).map { ConstraintFields.order.strings(in: $0) }.filter { $0.count > 1 }
  }

  private func definition(of item: JSON, name: String) -> ProcessDefinition {
    ProcessDefinition(
      name: name, command: ProcessFields.cmdline.text(in: item),
      maxFailures: ProcessFields.maxFailures.int(in: item) ?? 1,
      isDaemon: ProcessFields.daemon.flag(in: item), isEphemeral: ProcessFields.ephemeral.flag(in: item),
      minDuration: ProcessFields.minDuration.number(in: item) ?? 5, isFinal: ProcessFields.isFinal.flag(in: item),
      logger: ProcessFields.logger.object(in: item).map(logger), after: ProcessFields.after.strings(in: item),
      successExitCodes: ProcessFields.successExitCodes.list(in: item).compactMap {
        $0.integer.flatMap { Int32(exactly: $0) }
      },
      stopSignal: signal(ProcessFields.stopSignal.json(in: item)),
      stopTimeout: ProcessFields.stopTimeout.number(in: item),
      backoff: ProcessFields.backoff.object(in: item).map {
        Backoff(
          factor: BackoffFields.factor.number(in: $0) ?? 2, max: BackoffFields.max.number(in: $0) ?? 300,
          jitter: BackoffFields.jitter.number(in: $0) ?? 0)
      })
  }

  private func signal(_ json: JSON?) -> Int32 {
    if let text = json?.string { return SignalName.number(of: text) ?? SignalName.terminate }
    return json?.integer.flatMap { Int32(exactly: $0) } ?? SignalName.terminate
  }

  private func logger(_ json: JSON) -> LoggerConfig {
    var config = LoggerConfig()
    config.destination = LoggerFields.destination.text(in: json).flatMap { .init(rawValue: $0) } ?? .file
    config.mode = LoggerFields.mode.text(in: json).flatMap { .init(rawValue: $0) } ?? .rotate
    if let rotate = LoggerFields.rotate.object(in: json) {
      config.logSize = RotateFields.logSize.integer(in: rotate) ?? config.logSize
      config.backups = RotateFields.backups.int(in: rotate) ?? config.backups
    }
    return config
  }

  private mutating func resources(of task: JSON, path: String) -> Resources? {
    guard let json = TaskFields.resources.object(in: task) else { return nil }
    let disk = ResourceFields.disk.integer(in: json) ?? 0
    if (1..<(1 << 20)).contains(disk) {
      report(
        .value, ResourceFields.disk.position(in: json), joined(path, "resources.disk"),
        "\(disk) bytes are less than 1 MiB", hint: "0 is no limit")
    }
    return Resources(
      cpu: ResourceFields.cpu.number(in: json) ?? 0, ram: ResourceFields.ram.integer(in: json) ?? 0, disk: disk,
      gpu: ResourceFields.gpu.integer(in: json) ?? 0, pids: ResourceFields.pids.integer(in: json))
  }

  // MARK: Health and lifecycle

  /// A command when there is one, else HTTP when a port is named `health`, else nothing (aurora.md §6.7).
  private var healthCheck: HealthCheck? {
    let config = JobFields.health.object(in: document) ?? JSON(.object([]))
    let checker = HealthFields.checker.object(in: config) ?? JSON(.object([]))
    let probe: HealthCheck.Probe
    if let shell = HealthCheckerFields.shell.object(in: checker) {
      probe = .shell(command: ShellCheckFields.command.text(in: shell) ?? "")
    } else if let port = ports["health"] {
      let http = HealthCheckerFields.http.object(in: checker) ?? JSON(.object([]))
      probe = .http(
        port: port, endpoint: rooted(HTTPCheckFields.endpoint.text(in: http)),
        expectedResponse: HTTPCheckFields.expectedResponse.text(in: http) ?? "",
        expectedResponseCode: HTTPCheckFields.expectedResponseCode.int(in: http) ?? 0)
    } else {
      return nil
    }
    return HealthCheck(
      probe: probe, initialInterval: HealthFields.initialInterval.number(in: config) ?? 15,
      interval: HealthFields.interval.number(in: config) ?? 10,
      maxConsecutiveFailures: HealthFields.maxConsecutiveFailures.int(in: config) ?? 0,
      minConsecutiveSuccesses: HealthFields.minConsecutiveSuccesses.int(in: config) ?? 1,
      timeout: HealthFields.timeout.number(in: config) ?? 1)
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
    return HTTPLifecycle(
      port: port, gracefulShutdownEndpoint: rooted(HTTPLifecycleFields.gracefulEndpoint.text(in: config)),
      shutdownEndpoint: rooted(HTTPLifecycleFields.shutdownEndpoint.text(in: config)),
      gracefulShutdownWait: HTTPLifecycleFields.gracefulWait.number(in: config) ?? 5,
      shutdownWait: HTTPLifecycleFields.shutdownWait.number(in: config) ?? 5)
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
