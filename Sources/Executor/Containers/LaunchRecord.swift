import LaunchModel
import LinuxKernel

/// What was launched, written down once: whoever goes on with the task reads it and computes none of it again, for the host
/// may have changed meanwhile. An image's tag may name another image, the role's account may be gone, a volume's source
/// renamed.
struct LaunchRecord: WireValue, Equatable {
  var plan: LaunchPlan
  /// `nil` for a task on the host's file system.
  var image: ProvisionedImage?

  init(_ plan: LaunchPlan, _ image: ProvisionedImage?) { (self.plan, self.image) = (plan, image) }

  init(from reader: inout WireReader) throws(WireError) {
    plan = try reader.value()
    image = try reader.optional { (reader) throws(WireError) in try reader.value() }
  }
  func write(to writer: inout WireWriter) {
    writer.put(plan)
    writer.put(optional: image) { $1.put($0) }
  }

  func save(_ paths: TaskPaths) throws(ExecutorFailure) {
    do throws(Errno) { try writeFileAtomically(paths.launchRecord, encoded, mode: 0o600) } catch {
      throw ExecutorFailure(.cannotCreate, "cannot write \(paths.launchRecord): \(error)")
    }
  }

  /// Of the task's running container.
  static func load(_ paths: TaskPaths) throws(ExecutorFailure) -> LaunchRecord {
    do {
      return try LaunchRecord(decoding: try readFile(paths.launchRecord, limit: 32 << 20))
    } catch {
      throw ExecutorFailure(
        .internalError, "cannot read what was launched, \(paths.launchRecord): \(error)",
        hint: "nothing was done about the task")
    }
  }
}

extension ProvisionedImage: WireValue {
  init(from reader: inout WireReader) throws(WireError) {
    reference = try reader.string()
    digest = try reader.string()
    id = try reader.string()
  }
  func write(to writer: inout WireWriter) {
    writer.put(reference)
    writer.put(digest)
    writer.put(id)
  }
}
