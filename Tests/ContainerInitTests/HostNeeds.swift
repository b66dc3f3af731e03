import Glibc
import LinuxKernel
import Testing

/// What some tests need of the host. Where CI is set, a need that is not met is a failure.
enum HostNeeds {
  /// The program that was built together with these tests: its hidden mode is container-init.
  static let executor: String? = {
    guard let own = CurrentProcess.executable, let slash = own.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
    let path = own[..<slash] + "/aurora-executor"
    return (try? status(of: String(path))) == nil ? nil : String(path)
  }()

  /// Namespaces of mounts and of processes: as root, or in a user namespace where the host lets everybody have one.
  static let hasNamespaces: Bool = {
    guard let null = try? openFile("/dev/null", O_RDWR) else { return false }
    let command = unshare + ["/bin/sh", "-c", "mount -t tmpfs none /tmp"]
    var request = SpawnRequest(
      executable: .path(command[0]), arguments: command, descriptors: [null.rawValue, null.rawValue, null.rawValue])
    request.environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    guard let child = try? request.spawn() else { return false }
    return (try? child.wait())?.status == .exited(0)
  }()

  /// Runs what follows with mounts, processes and a host name of its own, which end with it.
  static var unshare: [String] {
    ["/usr/bin/unshare"] + (geteuid() == 0 ? [] : ["--user", "--map-root-user"])
      + ["--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
  }

  private static let onCI = getenv("CI").map { String(cString: $0) == "true" } ?? false

  static func met(_ condition: Bool) -> Bool { condition || onCI }
}

extension Trait where Self == ConditionTrait {
  static var needsRoot: Self { .enabled(if: HostNeeds.met(geteuid() == 0), "needs root") }

  static var needsExecutor: Self {
    .enabled(if: HostNeeds.met(HostNeeds.executor != nil), "needs the aurora-executor binary, built with these tests")
  }

  static var needsNamespaces: Self {
    .enabled(if: HostNeeds.met(HostNeeds.hasNamespaces), "needs root, or user namespaces and unshare(1)")
  }
}
