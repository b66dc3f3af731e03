import DockerContainerizer
import LinuxKernel
import MesosContainerizer
import Registry
import TaskModel
import TaskStore

/// The options that say how a document becomes a task: the same for every command that reads one.
enum TaskOptions {
  static let all: [Option] =
    [
      Option("--task", value: "FILE|-", "the task document (JSON); - is standard input"),
      Option("--task-id", value: "ID", "the id of this run (<name>-<date>-<time>-<random>)"),
      Option("--role", value: "USER", "the user the processes run as (the document's, else who invokes)"),
      Option("--instance", value: "N", "{{mesos.instance}} (0)"),
      Option("--hostname", value: "NAME", "{{mesos.hostname}} (this host's name)"),
      Option(
        "--port", short: "-P", value: "NAME:PORT|auto", isRepeatable: true,
        "the number of a port the document names; auto: one that is free"),
      Option(
        "--bind", value: "KEY=VALUE|KEY=@FILE", isRepeatable: true,
        "binds {{KEY}} in the document; @FILE: to what the file has (@/dev/fd/N: a descriptor), which nobody sees in ps(1)"
      ),
      Option("--isolation", value: "LIST", "isolators, separated by commas (all that are built in)"),
      Option("--sandbox-mount-point", value: "PATH", "where a container with an image sees its sandbox"),
      Option("--no-create-user", "do not add the role user to the image's account files"),
      DockerOptions.socket,
      RegistryOptions.configuration,
      Option(
        "--pull", value: "missing|always|never", "when a native task's image is fetched from its registry (missing)"),
      Option("--allow-docker-parameters", value: "LIST|all|none", "which Docker parameters a task may have (all)"),
      Option("--max-runs", value: "N", "runs a process may have at most (100)"),
      ClusterRegistries.option,
    ] + RegistryOptions.all + AppcOptions.all

  /// A document, read, and what the command line says of its run.
  struct Request {
    let loader: DocumentLoader
    let document: TaskDocument
    var settings: RunSettings
    let taskID: String

    /// The task with its templates bound; faults of the document are printed.
    func task() throws(ExecutorFailure) -> TaskSpecification {
      try loader.task(document, TaskBindings.make(settings, taskID: taskID, document)).withImageCommand
    }

    /// The same with what registries say of `{{docker.image[NAME][TAG]}}`.
    ///
    /// - Parameter signals: it is given up when something can be read from it.
    func resolved(_ arguments: Arguments, until signals: SharedDescriptor? = nil) throws(ExecutorFailure) -> Request {
      var request = self
      request.settings = try ImageBinder.bind(document, settings, arguments, until: signals)
      return request
    }

    /// The same with a digest that says nothing in its place.
    var withoutRegistries: Request {
      var request = self
      request.settings.bindings = ImageBinder.standIns(document) + settings.bindings
      return request
    }
  }

  /// The document and its settings. Faults of the document are printed.
  static func read(_ arguments: Arguments, strict: Bool) throws(ExecutorFailure) -> Request {
    let loader = try loader(arguments)
    let document = try loader.document(strict: strict)
    let (settings, taskID) = try settings(arguments, document)
    return Request(loader: loader, document: document, settings: settings, taskID: taskID)
  }

  /// - Parameter operands: where they are not all of the command's.
  static func loader(_ arguments: Arguments, operands: [String]? = nil) throws(ExecutorFailure) -> DocumentLoader {
    let paths = arguments.all("--task") + (operands ?? arguments.operands)
    guard let path = paths.first, paths.count == 1 else {
      throw ExecutorFailure(
        .usage, paths.isEmpty ? "which task? --task FILE is missing" : "more than one task document is named",
        hint: "`aurora-executor --task task.json`")
    }
    return try DocumentLoader(path)
  }

  static func settings(_ arguments: Arguments, _ document: TaskDocument) throws(ExecutorFailure) -> (
    RunSettings, taskID: String
  ) {
    let taskID = arguments.last("--task-id") ?? TaskPaths.newID(name: document.name)
    guard TaskPaths.isValidID(taskID) else {
      throw ExecutorFailure(
        .usage, "--task-id \"\(printable(taskID.utf8))\" cannot be an id",
        hint: "1 to 128 of A-Z a-z 0-9 _ . -, starting with a letter or a digit")
    }
    let role: String
    if let named = arguments.last("--role") ?? document.role { role = named } else { role = try Role.invoking() }
    let isRoot = CurrentProcess.effectiveUser == 0
    var settings = RunSettings(
      role: role, hostname: arguments.last("--hostname") ?? HostEnvironment.hostname,
      isolation: isRoot ? RunSettings.defaultIsolation : RunSettings.unprivilegedIsolation)
    if let list = arguments.last("--isolation") {
      settings.isolation = list.commaSeparated
    }
    settings.instance = try arguments.integer("--instance", in: 0...Int(Int32.max)).map(Int64.init)
    settings.ports = try PortChoice(arguments.all("--port")).numbers
    settings.bindings = try arguments.all("--bind").map { (text) throws(ExecutorFailure) in try BindOption.read(text) }
    if let path = arguments.last("--sandbox-mount-point") {
      let components = Array(path.utf8).pathComponents
      guard path.utf8.first == UInt8(ascii: "/"), !components.isEmpty, !components.contains(Array("..".utf8)) else {
        throw ExecutorFailure(.usage, "--sandbox-mount-point \(path): an absolute path without .. is needed")
      }
      settings.sandboxMountPoint = path.cleanedAbsolutePath
    }
    settings.createsUser = !arguments.has("--no-create-user")
    settings.dockerSocket = try DockerOptions.socket(arguments)
    settings.dockerConfig = arguments.last("--docker-config")
    if let text = arguments.last("--pull") {
      guard let policy = PullPolicy(rawValue: text) else {
        throw ExecutorFailure(
          .usage, "--pull \(printable(text.utf8)): it is \(PullPolicy.allCases.map(\.rawValue).joined(separator: ", "))"
        )
      }
      settings.pull = policy.rawValue
    }
    settings.dockerRegistry = arguments.last("--docker-registry")
    settings.plainHTTP = arguments.all("--plain-http")
    (settings.appcStore, settings.appcDiscoveryPrefix) = (
      try AppcOptions.directory(arguments), arguments.last("--appc-discovery-prefix")
    )
    settings.certificates = arguments.last("--ca-file")
    settings.allowedDockerParameters = try DockerParameters.Allowed(
      arguments.last("--allow-docker-parameters") ?? "all"
    ).text
    settings.maxRuns = try arguments.integer("--max-runs", in: 1...1_000_000) ?? settings.maxRuns
    return (settings, taskID)
  }
}
