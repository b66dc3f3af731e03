import LaunchModel
import LinuxKernel
import OperatorPolicy
import StrictJSON
import TaskModel

/// `result.json`: how a task ended, why, and what every run did.
package struct TaskResult {
  package let taskID: String
  package let verdict: Verdict
  package let containerizer: String
  /// What the engine calls the container.
  package let containerID: String?
  package let image: ProvisionedImage?
  /// What isolated it; `nil` when it never came to a container.
  package let plan: LaunchPlan?
  package let role: Identity?
  package let roleName: String
  package let createdAt: UInt64
  package let finishedAt: UInt64
  /// Every port that a name of the document leads to.
  package let ports: [String: Int]
  package let processes: [ProcessRecord]
  package let runTimes: RunTimes
  package let usage: ContainerUsage
  package let diskBytes: UInt64?
  /// The policy that gave leave.
  package let policy: PolicyLeave?

  package init(
    taskID: String, verdict: Verdict, containerizer: String, containerID: String?, image: ProvisionedImage?,
    plan: LaunchPlan?, role: Identity?, roleName: String, createdAt: UInt64, finishedAt: UInt64,
    ports: [String: Int], processes: [ProcessRecord], runTimes: RunTimes, usage: ContainerUsage, diskBytes: UInt64?,
    policy: PolicyLeave?
  ) {
    self.taskID = taskID
    self.verdict = verdict
    self.containerizer = containerizer
    self.containerID = containerID
    self.image = image
    self.plan = plan
    self.role = role
    self.roleName = roleName
    self.createdAt = createdAt
    self.finishedAt = finishedAt
    self.ports = ports
    self.processes = processes
    self.runTimes = runTimes
    self.usage = usage
    self.diskBytes = diskBytes
    self.policy = policy
  }

  package var json: JSON {
    JSON(
      object: [("schema_version", 1), ("task_id", JSON(taskID))] + verdict.members + [
        ("decider", verdict.deciderJSON),
        ("notes", verdict.notes.isEmpty ? nil : JSON(verdict.notes.map { JSON($0) })),
        ("containerizer", JSON(containerizer)),
        ("container_id", containerID.map { JSON($0) }), ("image", image?.json),
        (
          "isolation",
          plan.map { plan in
            JSON(object: [("applied", JSON(plan.isolators.map { JSON($0) })), ("left_out", plan.leftOut.json)])
          }
        ),
        (
          "role",
          JSON(object: [
            ("name", JSON(role?.name ?? roleName)), ("uid", role.map { JSON($0.uid) }),
            ("gid", role.map { JSON($0.gid) }),
          ])
        ),
        ("policy", policy?.source),
        (
          "ports",
          ports.isEmpty ? nil : JSON(object: ports.sorted { $0.key < $1.key }.map { ($0.key, JSON($0.value)) })
        ),
        ("created_at", JSON(Clock.timestamp(createdAt))), ("finished_at", JSON(Clock.timestamp(finishedAt))),
        ("processes", processes.json(runTimes)),
        (
          "usage",
          JSON(object: [
            ("cpu_seconds", usage.cpuNanoseconds.map { JSON((Double($0 / 1_000_000)) / 1000) }),
            ("memory_peak_bytes", usage.memoryPeakBytes.map { JSON($0) }), ("disk_bytes", diskBytes.map { JSON($0) }),
          ])
        ),
      ])
  }

}

extension [ProcessRecord] {
  /// Every process by its name, with its state and its runs; `onlyStarted` leaves out one that is about to start.
  package func json(_ times: RunTimes, onlyStarted: Bool = false) -> JSON {
    JSON(
      object: map { process in
        let runs = process.runs.filter { !onlyStarted || $0.state != .waiting }.map { run in
          JSON(
            object: [("run", JSON(run.number)), ("state", JSON(run.state.rawValue))]
              + (run.outcome?.journalMembers ?? [])
              + [
                ("started_at", run.forkedAt.map { JSON(Clock.timestamp(times.wall($0))) }),
                ("finished_at", run.endedAt.map { JSON(Clock.timestamp(times.wall($0))) }),
              ])
        }
        return (process.name, JSON(object: [("state", JSON(process.state.rawValue)), ("runs", JSON(runs))]))
      })
  }
}

extension Verdict {
  /// The run that decided it.
  var deciderJSON: JSON? {
    decider.map { JSON(object: [("process", JSON($0.process)), ("run", JSON($0.run))]) }
  }
}

/// Turns the machine's clock, which counts from boot, into the wall's.
package struct RunTimes {
  /// Wall time at boot, as the clocks stood when the task was begun; the journal keeps it, for another boot has another.
  package let boot: UInt64
  package init() { boot = Clock.wall &- Clock.now }
  package init(boot: UInt64) { self.boot = boot }
  package func wall(_ instant: UInt64) -> UInt64 { boot &+ instant }
}

extension ProvisionedImage {
  package var json: JSON { JSON(object: [("reference", JSON(reference)), ("digest", JSON(digest)), ("id", JSON(id))]) }

  package init?(json: JSON) {
    guard let reference = json["reference"]?.string, let digest = json["digest"]?.string else { return nil }
    self.init(reference: reference, digest: digest, id: json["id"]?.string ?? digest)
  }
}

extension TaskSpecification {
  /// The name of its containerizer, as a result has it.
  package var containerizer: String {
    switch container {
    case .mesos: "mesos"
    case .docker: "docker"
    }
  }
}
