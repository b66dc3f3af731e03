import Containers
import DiskUsage
import Isolators
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// `plan`: exactly what a run would do, without doing it.
enum PlanCommand {
  static let command = Command(
    name: "plan", summary: "show exactly what a run would do, without doing it", synopsis: "--task FILE [options]",
    options: TaskOptions.all + CommonOptions.directories + [PolicyGate.option, CommonOptions.output],
    needsProc: true, run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    let style = try arguments.outputStyle()
    let request = try TaskOptions.read(arguments, strict: false)
    try RunCommand.checkPaths(arguments)
    let (asked, taskID) = (try request.resolved(arguments), request.taskID)
    let gate = try PolicyGate(arguments, asked.document, try asked.task(), asked.settings)
    try gate.enforce(asked.loader)
    let (task, settings) = (gate.task, gate.settings)
    let paths = TaskPaths(
      workDirectory: arguments.workDirectory, runDirectory: arguments.runDirectory, taskID: taskID)
    var containerizer = try ContainerizerChoice.make(task, try gate.identity.get(), settings, paths)
    if containerizer.imageName != nil { try containerizer.locate() }
    let report = PlanReport(
      try containerizer.plan(), task: task, engine: try containerizer.engineRequest(), verdict: gate.verdict,
      logs: LogsReport(task.processes, ceiling: settings.logBytes), hasQuotas: DiskQuota.isAvailable(at: paths.sandbox))
    if style == .json { Console.raw(Array(report.json.pretty.utf8)) } else { Console.output(report.text) }
    return .finished
  }
}

/// A launch plan for people and for programs.
struct PlanReport {
  private let plan: LaunchPlan
  private let task: TaskSpecification?
  private let engine: EngineRequest?
  /// What a policy gave leave for.
  private let verdict: PolicyVerdict?
  private let logs: LogsReport?
  /// Whether the file system of the sandbox has project quotas.
  private let hasQuotas: Bool

  init(
    _ plan: LaunchPlan, task: TaskSpecification? = nil, engine: EngineRequest? = nil, verdict: PolicyVerdict? = nil,
    logs: LogsReport? = nil, hasQuotas: Bool = false
  ) {
    self.hasQuotas = hasQuotas
    self.verdict = verdict
    self.logs = logs
    self.plan = plan
    self.task = task
    self.engine = engine
  }

  private var namespaces: [String] {
    let all: [(Namespaces, String)] = [
      (.mount, "mount"), (.pid, "pid"), (.ipc, "ipc"), (.uts, "uts"), (.network, "network"), (.cgroup, "cgroup"),
    ]
    return all.filter { Namespaces(rawValue: plan.namespaces).contains($0.0) }.map(\.1)
  }

  /// `core 0, nofile 64:128`.
  private var limits: String {
    func number(_ value: UInt64) -> String { value == .max ? "unlimited" : String(value) }
    return plan.restrictions.limits.map { limit in
      let name = PosixResourceLimits.resources.first { $0.value == limit.resource }?.key.lowercased()
      return (name ?? "\(limit.resource)") + " " + number(limit.soft)
        + (limit.soft == limit.hard ? "" : ":" + number(limit.hard))
    }.joined(separator: ", ")
  }

  private var cgroups: [CgroupSetup] { plan.sharedCgroups + plan.cgroups + plan.initCgroups + plan.version2Cgroups }

  private var bounding: [String]? { plan.restrictions.boundingCapabilities.map { Capabilities(rawValue: $0).list } }

  var json: JSON {
    let identity = plan.restrictions.identity
    return JSON(object: [
      ("schema_version", 1), ("task_id", JSON(plan.taskID)), ("docker", engine?.json),
      ("isolators", JSON(plan.isolators.map { JSON($0) })), ("left_out", plan.leftOut.json),
      ("namespaces", engine == nil ? JSON(namespaces.map { JSON($0) }) : nil),
      (
        "cgroups",
        JSON(
          cgroups.map { cgroup in
            JSON(object: [
              ("directory", JSON(cgroup.directory)),
              (
                "settings",
                JSON(cgroup.settings.map { JSON(object: [("file", JSON($0.file)), ("value", JSON($0.value))]) })
              ),
            ])
          })
      ),
      ("cgroup2", plan.cgroupDirectory.map { JSON($0) }), ("steps", JSON(plan.steps.map { JSON($0.summary) })),
      (
        "role",
        JSON(object: [
          ("name", JSON(identity.name)), ("uid", JSON(identity.uid)), ("gid", JSON(identity.gid)),
          ("groups", JSON(identity.supplementaryGroups.map { JSON($0) })),
        ])
      ),
      ("capabilities", bounding.map { JSON($0.map { JSON($0) }) }),
      ("no_new_privileges", JSON(plan.restrictions.noNewPrivileges)),
      ("keeps_projects", JSON(plan.restrictions.keepsProjects)),
      ("pins_no_files", JSON(plan.restrictions.pinsNoFiles)),
      ("keeps_cgroup_namespace", JSON(plan.restrictions.keepsCgroupNamespace)),
      ("scopes_sockets", JSON(plan.restrictions.scopesSockets)),
      (
        "seccomp",
        plan.restrictions.filter.map { filter in
          JSON(object: [
            ("profile", JSON(filter.profile)), ("sha256", JSON(filter.digest)),
            ("instructions", JSON(filter.instructionCount)),
          ])
        }
      ),
      (
        "rlimits",
        JSON(
          plan.restrictions.limits.map {
            JSON(object: [("resource", JSON($0.resource)), ("soft", JSON($0.soft)), ("hard", JSON($0.hard))])
          })
      ),
      // Values may be secrets; names are enough to see what is set.
      ("image_environment", JSON(plan.environment.map { JSON($0.name) })), ("sandbox", JSON(plan.sandbox)),
      ("image_command", plan.imageCommand.isEmpty ? nil : JSON(plan.imageCommand.map { JSON($0) })),
      ("image_working_directory", plan.imageWorkingDirectory.map { JSON($0) }),
      ("processes", task.map { JSON($0.processes.map { JSON($0.name) }) }), ("logs", logs?.json),
      (
        "ports",
        task.flatMap { task in
          task.ports.isEmpty
            ? nil : JSON(object: task.ports.sorted { $0.key < $1.key }.map { ($0.key, JSON($0.value)) })
        }
      ),
      ("orders", task.map { JSON($0.orders.map { JSON($0.map { JSON($0) }) }) }),
      ("policy", verdict.flatMap { $0.policy == nil ? nil : $0.json }),
    ])
  }

  var text: String {
    let identity = plan.restrictions.identity
    var lines = ["task \(plan.taskID)"]
    lines.append(
      "role       \(identity.name) (\(identity.uid):\(identity.gid)), groups \(identity.supplementaryGroups)")
    if !plan.isolators.isEmpty { lines.append("isolators  \(plan.isolators.joined(separator: ", "))") }
    for leftOut in plan.leftOut { lines.append("left out   \(leftOut.isolator): \(leftOut.reason)") }
    if let engine {
      // Namespaces and cgroups are the engine's to make.
      lines += engine.lines
    } else {
      lines.append("namespaces \(namespaces.isEmpty ? "none" : namespaces.joined(separator: " "))")
    }
    for cgroup in cgroups {
      lines.append("cgroup     \(cgroup.directory)")
      for setting in cgroup.settings { lines.append("             \(setting.file) = \(setting.value)") }
    }
    if let directory = plan.cgroupDirectory { lines.append("cgroup2    \(directory)") }
    lines.append("steps")
    for (index, step) in plan.steps.enumerated() { lines.append("  \(index + 1). \(step.summary)") }
    lines.append(
      "limits     " + limits + (plan.restrictions.noNewPrivileges ? ", no new privileges" : "")
        + (plan.restrictions.keepsProjects ? ", project ids cannot be changed" : "")
        + (plan.restrictions.pinsNoFiles ? ", no Landlock of its own" : "")
        + (plan.restrictions.keepsCgroupNamespace ? ", no cgroup namespaces" : "")
        + (plan.restrictions.scopesSockets ? ", no abstract sockets of others" : ""))
    if plan.restrictions.keepsProjects, hasQuotas, let limit = task?.resources?.disk, limit > 0 {
      lines.append("disk       at most \(Quantity.bytes(UInt64(limit))), by a project quota")
    }
    if let filter = plan.restrictions.filter {
      lines.append(
        "seccomp    profile \(printable(filter.profile.utf8)) (sha256 \(filter.digest.prefix(12)), "
          + "\(filter.instructionCount) instructions)")
    } else if engine == nil {
      lines.append("seccomp    unconfined")
    }
    if let logs { lines += logs.lines }
    if let bounding { lines.append("capabilities (at most) \(bounding.joined(separator: " "))") }
    if let task {
      if let ports = PortList.text(task.ports) { lines.append("ports      \(ports)") }
      lines.append("processes")
      for process in task.processes {
        let traits = [
          process.isFinal ? "final" : nil, process.isDaemon ? "daemon" : nil,
          process.isEphemeral ? "ephemeral" : nil,
        ].compactMap { $0 }
        let command = process.command.map { printable($0.utf8) } ?? plan.imageCommand.joined(separator: " ")
        lines.append(
          "  \(process.name)" + (traits.isEmpty ? "" : " (\(traits.joined(separator: ", ")))") + ": \(command)")
      }
      for order in task.orders { lines.append("  order: \(order.joined(separator: " -> "))") }
    }
    if let verdict, let policy = verdict.policy {
      lines.append("policy     \(printable(policy.file.utf8)) (\(policy.digest))")
      for (ruling, _) in verdict.rulings { lines.append("  \(ruling.demand.kind.text): \(ruling.reason)") }
    }
    return lines.joined(separator: "\n")
  }
}
