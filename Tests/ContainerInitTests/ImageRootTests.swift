import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// A root of layers as an image has them, put together by container-init with mounts of its own. Its devices are root's to make.
@Suite(.needsExecutor, .needsNamespaces, .needsRoot) struct ImageRootTests {
  private static let role = Identity(
    name: "worker", uid: 4242, gid: 4343, groupName: "workers", supplementaryGroups: [])

  /// A shell with what it needs, copied from the host: all that is mapped when it runs, by the names that it is asked for.
  private static func putShell(into layer: String) throws {
    let pipe = try makePipe()
    let null = try openFile("/dev/null", O_RDWR)
    let request = SpawnRequest(
      executable: .path("/bin/sh"),
      arguments: ["sh", "-c", "while read -r line; do echo \"$line\"; done < /proc/self/maps"],
      descriptors: [null.rawValue, pipe.second.rawValue, null.rawValue])
    #expect(try request.spawn().wait().status == .exited(0))
    let maps = String(decoding: try pipe.first.descriptor.read(upTo: 65536) ?? [], as: UTF8.self)
    var files = Set(
      maps.split(separator: "\n").compactMap { $0.split(separator: " ").last }.filter { $0.hasPrefix("/") })
    let head = ProgramHead(try openFile("/bin/sh", O_RDONLY).read(upTo: ProgramHead.size, at: 0))
    if let loader = head.interpreter { files.insert(Substring(decoding: loader, as: UTF8.self)) }
    for file in files.union(["/bin/sh"]) {
      let path = layer + file
      try makeDirectories(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
      try writeScript(path, readFile(String(file), limit: 64 << 20))
    }
  }

  private static func prepare(_ directory: String, _ change: (String) throws -> Void = { _ in }) throws {
    for name in ["base", "shell", "upper", "work"] { try makeDirectories("\(directory)/root/\(name)") }
    let base = directory + "/root/base"
    try makeDirectories(base + "/etc")
    for (name, text) in [("passwd", "root:x:0:0::/:/bin/sh\n"), ("group", "root:x:0:\n"), ("os", "below\n")] {
      try writeFileAtomically("\(base)/etc/\(name)", Array(text.utf8))
    }
    try putShell(into: directory + "/root/shell")
    try makeDirectories(directory + "/root/shell/etc")
    try writeFileAtomically(directory + "/root/shell/etc/os", Array("above\n".utf8))
    try change(base)
  }

  private static func steps(_ directory: String, root first: SetupStep? = nil) -> [SetupStep] {
    let root = directory + "/root"
    return [
      first ?? .overlayRoot(layers: [root + "/base", root + "/shell"], upper: root + "/upper", work: root + "/work"),
      .mount(type: "proc", target: "/proc", options: [], attributes: 0),
      .mount(type: "tmpfs", target: "/dev", options: ["mode=755"], attributes: 0),
      .device(target: "/dev/null", major: 1, minor: 3, mode: 0o666),
      .device(target: "/dev/zero", major: 1, minor: 5, mode: 0o666),
      .symbolicLink(target: "/dev/fd", content: "/proc/self/fd"),
      .directory(target: "/mnt/sandbox", mode: 0o711), .pivot, .account(role), .mask("/proc/uptime"),
      .mask("/proc/scsi"),
      .readOnly("/proc/sys"), .hostname("box"),
    ]
  }

  @Test func aTaskSeesItsImageAndNothingElse() throws {
    let container = try StartedInit(.namespaces) {
      // The role, as root has it from an executor that is root.
      $0.identity = Self.role
      $0.changesUser = true
      $0.noNewPrivileges = true
      $0.boundingCapabilities = 0
    } steps: {
      Self.steps($0)
    } prepare: {
      try Self.prepare($0)
    }
    let executor = try container.connect()
    _ = try executor.reports()
    let text = try executor.output(
      """
      echo /dev/*; [ -d /mnt/sandbox ] && echo there; read x < /etc/os; echo $x; while read x; do echo $x; done < /etc/passwd
      while read x y z; do case $x in Uid:|CapBnd:) echo $x $y;; esac; done < /proc/self/status
      read x < /proc/sys/kernel/hostname; echo $x; (echo 1 > /dev/null) && echo written
      (echo x > /proc/sys/kernel/hostname) 2> /dev/null || echo kept; (read x < /proc/uptime) || echo hidden
      """)
    let lines = text.split(separator: "\n").map(String.init)
    #expect(
      lines == [
        "/dev/fd /dev/null /dev/zero", "there", "above", "root:x:0:0::/:/bin/sh", "worker:x:4242:4343::/:/bin/sh",
        "Uid: 4242", "CapBnd: 0000000000000000", "box",
        "written", "kept", "hidden",
      ])
    // What was changed is in the layer that goes with the task.
    #expect(container.file("root/upper/etc/passwd")?.contains("worker") == true)
    #expect(container.file("root/base/etc/passwd") == "root:x:0:0::/:/bin/sh\n")
  }

  private func refusal(_ change: @escaping (String) throws -> Void) throws -> String {
    let container = try StartedInit(.namespaces) { _ in
    } steps: {
      Self.steps($0)
    } prepare: {
      try Self.prepare($0, change)
    }
    let executor = try container.connect()
    return try executor.hear { if case .setupFailed(let message, _) = $0 { message } else { nil } }
  }

  @Test func aCopyServesForARoot() throws {
    let container = try StartedInit(.namespaces) { _ in
    } steps: {
      Self.steps($0, root: .copiedRoot(CopiedRoot(directory: $0 + "/root/base", reason: "a test")))
    } prepare: {
      try Self.prepare($0) { try Self.putShell(into: $0) }
    }
    let executor = try container.connect()
    _ = try executor.reports()
    let text = try executor.output(
      """
      echo /dev/*; read x < /etc/os; echo $x; echo new > /etc/os; read x < /etc/os; echo $x
      while read a b c d where options rest; do [ $where = / ] && echo $options; done < /proc/self/mountinfo
      """)
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines.prefix(3) == ["/dev/fd /dev/null /dev/zero", "below", "new"])
    #expect(lines.last?.contains("nosuid") == true && lines.last?.contains("nodev") == true)
    #expect(lines.last?.contains("noexec") == false)
  }

  /// An image leads no mount anywhere (CVE-2019-19921).
  @Test(arguments: ["proc", "dev"]) func aLinkInThePlaceOfAMountIsRefused(name: String) throws {
    let said = try refusal { try makeSymbolicLink("\($0)/\(name)", to: "/etc", at: AT_FDCWD) }
    #expect(said.contains("/\(name) in the image passes a symbolic link where a directory must be"))
  }

  @Test func anImageThatHasTheRoleAsSomebodyElseIsRefused() throws {
    let said = try refusal { base in
      try writeFileAtomically(base + "/etc/passwd", Array("worker:x:1:1::/:/bin/sh\n".utf8))
    }
    #expect(said.contains("the role user worker is not the same in the image"))
  }
}
