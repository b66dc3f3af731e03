import Glibc
import LinuxKernel
import Testing

@testable import Images

/// What some tests need of the host. Each is tried, not guessed; where CI is set, a need that is not met is a failure.
enum Requirements {
  /// The program that was built together with these tests.
  static let worker: WorkerBinary? = {
    if let path = getenv("AURORA_EXECUTOR").map({ String(cString: $0) }) { return WorkerBinary(path: path) }
    guard let own = try? readSymbolicLink("/proc/self/exe"), let slash = own.lastIndex(of: UInt8(ascii: "/")) else {
      return nil
    }
    let path = String(decoding: own[..<slash], as: UTF8.self) + "/aurora-executor"
    return (try? status(of: path)) == nil ? nil : WorkerBinary(path: path)
  }()

  private static let onCI = getenv("CI").map { String(cString: $0) == "true" } ?? false

  static func met(_ condition: Bool) -> Bool { condition || onCI }
}

extension Trait where Self == ConditionTrait {
  /// Workers are confined in namespaces, which only root can make.
  static var needsRoot: Self {
    .enabled(if: Requirements.met(geteuid() == 0), "needs root, to confine the unpack worker")
  }

  /// Workers are the executor's own binary in its hidden mode.
  static var needsWorker: Self {
    .enabled(
      if: Requirements.met(Requirements.worker != nil), "needs the aurora-executor binary, built with these tests")
  }

  static func needsProgram(_ path: String) -> Self {
    .enabled(if: Requirements.met((try? status(of: path)) != nil), "needs \(path)")
  }
}

/// Runs a program to its end; `nil` in place of a status when it cannot be started.
func run(_ arguments: [String], in directory: String? = nil) throws -> LinuxKernel.ExitStatus {
  let null = try openFile("/dev/null", O_RDWR)
  let command = directory.map { ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", $0] + arguments } ?? arguments
  var request = SpawnRequest(
    executable: .path(command[0]), arguments: command, descriptors: [null.rawValue, null.rawValue, null.rawValue])
  request.environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent"]
  return try request.spawn().wait().status
}

/// `Tests/Fixtures`, beside this file's directory.
func fixture(_ name: String, file: StaticString = #filePath) -> String {
  var parts = "\(file)".utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
  parts.removeLast(2)
  return "/" + parts.joined(separator: "/") + "/Fixtures/" + name
}
