import LaunchModel
import LinuxKernel

/// What was launched, written down once: whoever goes on with the task reads it and computes none of it again, for the host
/// may have changed meanwhile. An image's tag may name another image, the role's account may be gone, a volume's source
/// renamed.
package struct LaunchRecord: WireRecord, Equatable {
  package var plan: LaunchPlan
  /// `nil` for a task on the host's file system.
  package var image: ProvisionedImage?

  package init(_ plan: LaunchPlan, _ image: ProvisionedImage?) { (self.plan, self.image) = (plan, image) }

  package static let blank = LaunchRecord(LaunchPlan.blank, nil)
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&plan)
    try pass.field(&image)
  }

  package func save(_ paths: TaskPaths) throws(ExecutorFailure) {
    do throws(Errno) { try writeFileAtomically(paths.launchRecord, encoded, mode: 0o600) } catch {
      throw ExecutorFailure(.cannotCreate, "cannot write \(paths.launchRecord): \(error)")
    }
  }

  /// Of the task's running container.
  package static func load(_ paths: TaskPaths) throws(ExecutorFailure) -> LaunchRecord {
    do {
      return try LaunchRecord(decoding: try readFile(paths.launchRecord, limit: 32 << 20))
    } catch {
      throw ExecutorFailure(
        .internalError, "cannot read what was launched, \(paths.launchRecord): \(error)",
        hint: "nothing was done about the task")
    }
  }
}

extension ProvisionedImage: WireRecord {
  package static let blank = ProvisionedImage(reference: "", digest: "", id: "")
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&reference)
    try pass.field(&digest)
    try pass.field(&id)
  }
}
