import DockerEngineClient
import LinuxKernel
import TaskModel
import TaskStore

/// `container.docker.parameters`: which options of `docker run` a task may have, and what the contract leaves of them.
///
/// The library maps the options; here is what a task of the executor cannot have because its processes, its user, its
/// output and its end are the executor's.
package enum DockerParameters {
  /// `--allow-docker-parameters`.
  package enum Allowed: Equatable {
    case all
    /// Long names.
    case only([String])

    /// `nil` for all.
    package var names: [String]? {
      switch self {
      case .all: nil
      case .only(let names): names
      }
    }

    /// `all`, `none`, or names separated by commas.
    package init(_ text: String) throws(ExecutorFailure) {
      switch text {
      case "all": self = .all
      case "none": self = .only([])
      default:
        var names: [String] = []
        for name in text.commaSeparated {
          guard let canonical = DockerRunOptions.canonicalName(name) else {
            let near = NearestKey.find(name, among: DockerRunOptions.names)
            throw ExecutorFailure(
              .usage, "--allow-docker-parameters: Docker has no option \"\(printable(name.utf8))\"",
              hint: near.map { "did you mean \($0)?" })
          }
          names.append(canonical)
        }
        self = .only(names)
      }
    }

    /// Fields of the document that stand for an option need the operator's leave like the option itself.
    package func check(_ container: DockerContainer) throws(ExecutorFailure) {
      guard case .only(let names) = self else { return }
      for (field, option, isUsed) in [
        ("privileged", "privileged", container.privileged),
        ("port_mappings", "publish", !container.portMappings.isEmpty),
      ] where isUsed && !names.contains(option) {
        throw ExecutorFailure(
          .failed, "container.docker.\(field): this host's operator does not allow it",
          hint: "--allow-docker-parameters would have to name \(option)")
      }
    }

    package var text: String {
      switch self {
      case .all: "all"
      case .only(let names): names.isEmpty ? "none" : names.joined(separator: ",")
      }
    }
  }

  /// Options that no task can have, with the reason.
  private static let refused = [
    "init": "container-init is the container's first process already, and reaps for everybody",
    "tty": "a task has no terminal; its output goes to its log files",
  ]

  /// Options that name a file for the executor to read.
  private static let readingFiles = ["env-file", "label-file"]
  package static let fileReason = "it would read a file of the host for the task"

  /// Why no task can have an option, whatever an operator allows; `nil` when one can.
  package static func refusal(of name: String, _ value: String) -> String? {
    if let reason = refused[name] { return isOff(value) ? nil : reason }
    return readingFiles.contains(name) ? fileReason : DockerRunOptions.refusal(of: name)
  }

  private static func isOff(_ value: String) -> Bool { value == "false" || value == "0" }

  /// Options that are taken and change nothing, with the reason.
  private static let withoutEffect = [
    "log-driver": "the output of a task goes to its own log files, not through the engine",
    "log-opt": "the output of a task goes to its own log files, not through the engine",
    "health-cmd": "the health of a task is what its health_check_config says",
    "health-interval": "the health of a task is what its health_check_config says",
    "health-retries": "the health of a task is what its health_check_config says",
    "health-start-interval": "the health of a task is what its health_check_config says",
    "health-start-period": "the health of a task is what its health_check_config says",
    "health-timeout": "the health of a task is what its health_check_config says",
    "no-healthcheck": "the engine checks no task's health anyway",
    "stop-timeout": "stopping follows the task's own rules (finalization_wait)",
  ]

  /// Options that mean something for an image's own command only.
  private static let forImageCommand = [
    "entrypoint": "the task has processes of its own, and they are what runs",
    "stop-signal": "each of them has a stop_signal of its own",
    "workdir": "command lines start in the sandbox",
  ]

  /// The options that go to the library, after what the contract takes out, and which ones of the document they are.
  static func usable(
    _ parameters: [DockerContainer.Parameter], allowed: Allowed, identity: (name: String, uid: UInt32, gid: UInt32),
    runsImageCommand: Bool
  ) throws(ExecutorFailure) -> (parameters: [(name: String, value: String)], indices: [Int], warnings: [String]) {
    var kept: [(name: String, value: String)] = []
    var indices: [Int] = []
    var warnings: [String] = []
    for (index, parameter) in parameters.enumerated() {
      // An unknown name goes on: the library says so, with near names.
      let name = DockerRunOptions.canonicalName(parameter.name) ?? parameter.name
      func refusal(_ reason: String, hint: String? = nil) -> ExecutorFailure {
        ExecutorFailure(
          .failed, "\(printable(name.utf8)): \(reason)", hint: hint, parameter: index)
      }
      if case .only(let names) = allowed, DockerRunOptions.canonicalName(name) != nil, !names.contains(name) {
        throw refusal(
          "this host's operator does not allow it",
          hint: names.isEmpty ? "no Docker parameters are allowed" : "allowed are \(names.joined(separator: ", "))")
      }
      if let reason = refused[name] {
        if isOff(parameter.value) { continue }
        throw refusal(reason)
      }
      if let reason = withoutEffect[name] {
        warnings.append("\(name) has no effect: \(reason)")
        continue
      }
      if !runsImageCommand, let reason = forImageCommand[name] {
        if name == "entrypoint" { throw refusal(reason, hint: "leave it out, or leave the processes out") }
        warnings.append("\(name) has no effect: \(reason)")
        continue
      }
      switch name {
      case "user":
        let own = [identity.name, String(identity.uid), "\(identity.uid):\(identity.gid)"]
        guard own.contains(parameter.value) else {
          throw refusal(
            "the processes run as the role \(identity.name) (\(identity.uid):\(identity.gid))",
            hint: "set the task's role instead")
        }
        continue
      case "group-add" where UInt32(parameter.value) == nil:
        throw refusal(
          "a group is needed by its number here", hint: "a name may mean another number in the image than on the host")
      case "label" where DockerRunOptions.labelName(parameter.value).map(DockerLabels.isOwn) == true:
        throw refusal("labels that begin with \(DockerLabels.prefix) say whose container it is")
      case "mount", "volume":
        if let finding = DockerHostPaths.finding(parameter.name, parameter.value) {
          guard finding.isHarmless else { throw refusal(finding.reason, hint: finding.hint) }
          warnings.append("\(name): \(finding.reason)")
        }
        fallthrough
      default:
        kept.append((parameter.name, parameter.value))
        indices.append(index)
      }
    }
    return (kept, indices, warnings)
  }
}

/// How containers of ours are known among everybody's.
package enum DockerLabels {
  package static let prefix = "org.apache.aurora.executor."
  package static func isOwn(_ name: String) -> Bool { name.utf8.starts(with: prefix.utf8) }
  package static let taskID = prefix + "task-id"
  package static let role = prefix + "role"
  package static let image = prefix + "image"
  /// Whose task it is, where several executors share a host.
  package static let workDirectory = prefix + "work-dir"
  /// A random word that only the task's own directory has: a container with it is this task's.
  package static let nonce = prefix + "nonce"
}
