import Isolators
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel

/// `result.json`: how a task ended, why, and what every run did.
struct TaskResult {
  let taskID: String
  let verdict: Verdict
  let containerizer: String
  /// What the engine calls the container.
  let containerID: String?
  let image: ProvisionedImage?
  let role: Identity?
  let roleName: String
  let createdAt: UInt64
  let finishedAt: UInt64
  let processes: [ProcessRecord]
  let runTimes: RunTimes
  let usage: ContainerUsage
  let diskBytes: UInt64?

  var json: JSON {
    JSON(object: [
      ("schema_version", 1), ("task_id", JSON(taskID)), ("state", JSON(verdict.state.rawValue)),
      ("reason", verdict.reason.map { JSON($0) }), ("message", JSON(verdict.message)),
      (
        "decider",
        verdict.decider.map { JSON(object: [("process", JSON($0.process)), ("run", JSON($0.run))]) }
      ),
      ("notes", verdict.notes.isEmpty ? nil : JSON(verdict.notes.map { JSON($0) })),
      ("containerizer", JSON(containerizer)),
      ("container_id", containerID.map { JSON($0) }), ("image", image?.json),
      (
        "role",
        JSON(object: [
          ("name", JSON(role?.name ?? roleName)), ("uid", role.map { JSON($0.uid) }),
          ("gid", role.map { JSON($0.gid) }),
        ])
      ),
      ("created_at", JSON(Clock.timestamp(createdAt))), ("finished_at", JSON(Clock.timestamp(finishedAt))),
      ("processes", JSON(object: processes.map { ($0.name, processJSON($0)) })),
      (
        "usage",
        JSON(object: [
          ("cpu_seconds", usage.cpuNanoseconds.map { JSON((Double($0 / 1_000_000)) / 1000) }),
          ("memory_peak_bytes", usage.memoryPeakBytes.map { JSON($0) }), ("disk_bytes", diskBytes.map { JSON($0) }),
        ])
      ),
    ])
  }

  private func processJSON(_ process: ProcessRecord) -> JSON {
    JSON(object: [
      ("state", JSON(process.state.rawValue)),
      (
        "runs",
        JSON(
          process.runs.map { run in
            JSON(
              object: [("run", JSON(run.number)), ("state", JSON(run.state.rawValue))]
                + (run.outcome?.journalMembers ?? [])
                + [
                  ("started_at", run.forkedAt.map { JSON(Clock.timestamp(runTimes.wall($0))) }),
                  ("finished_at", run.endedAt.map { JSON(Clock.timestamp(runTimes.wall($0))) }),
                ])
          })
      ),
    ])
  }
}

/// Turns the machine's clock, which counts from boot, into the wall's.
struct RunTimes {
  /// Wall time at boot, as the clocks stood when the task was begun; the journal keeps it, for another boot has another.
  let boot: UInt64
  init() { boot = Clock.wall &- Clock.now }
  init(boot: UInt64) { self.boot = boot }
  func wall(_ instant: UInt64) -> UInt64 { boot &+ instant }
}

extension ProvisionedImage {
  var json: JSON { JSON(object: [("reference", JSON(reference)), ("digest", JSON(digest)), ("id", JSON(id))]) }

  init?(json: JSON) {
    guard let reference = json["reference"]?.string, let digest = json["digest"]?.string else { return nil }
    self.init(reference: reference, digest: digest, id: json["id"]?.string ?? digest)
  }
}
