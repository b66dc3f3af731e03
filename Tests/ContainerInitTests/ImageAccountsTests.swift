import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// The role user in account files of an image, which may hold anything.
@Suite struct ImageAccountsTests {
  private static let role = Identity(
    name: "worker", uid: 4242, gid: 4343, groupName: "workers", supplementaryGroups: [], shell: "/bin/sh")

  private static func completed(_ passwd: String?, _ group: String?, _ shadow: String? = nil) throws(SetupError)
    -> [String: String]
  {
    func bytes(_ text: String?) -> [UInt8]? { text.map { Array($0.utf8) } }
    let files = try ImageAccounts.completed(role, passwd: bytes(passwd), group: bytes(group), shadow: bytes(shadow))
    return Dictionary(uniqueKeysWithValues: files.map { ($0.name, String(decoding: $0.content, as: UTF8.self)) })
  }

  @Test func whatIsMissingIsAdded() throws {
    #expect(
      try Self.completed("root:x:0:0::/:/bin/sh", "root:x:0:\n", "root:*:::::::\n") == [
        "passwd": "root:x:0:0::/:/bin/sh\nworker:x:4242:4343::/:/bin/sh\n", "group": "root:x:0:\nworkers:x:4343:\n",
        "shadow": "root:*:::::::\nworker:!:::::::\n",
      ])
    // An image without account files gets those that say who it is, and no passwords.
    #expect(try Self.completed(nil, nil).keys.sorted() == ["group", "passwd"])
  }

  @Test func whatIsThereAndAgreesStays() throws {
    let passwd = "worker:x:4242:4343:Somebody:/home/worker:/bin/zsh\n"
    #expect(try Self.completed(passwd, "workers:x:4343:root\n").isEmpty)
    #expect(try Self.completed(passwd, "root:x:0:\n").keys.sorted() == ["group"])
  }

  @Test(
    arguments: [
      ("worker:x:1:4343::/:", "", "the role user worker"), ("worker:x:4242:1::/:", "", "the role user worker"),
      ("other:x:4242:1::/:", "", "the role user worker"), ("", "workers:x:1:", "the role group workers"),
      ("", "other:x:4343:", "the role group workers"),
      ("worker:x:4242:4343::/:\nworker:x:0:0::/:", "", "the role user worker"),
    ])
  func whatContradictsTheHostIsRefused(passwd: String, group: String, words: String) {
    let error = #expect(throws: SetupError.self) { try Self.completed(passwd, group) }
    #expect(error?.message.contains(words + " is not the same in the image") == true)
  }

  // MARK: Files

  private final class Image {
    let path = "/tmp/aurora-accounts-\(UInt64.random(in: 0 ... .max))"
    init() throws { try makeDirectories(path + "/etc") }
    deinit { try? removeTree(path) }

    func write(_ name: String, _ text: String, mode: UInt32 = 0o644) throws {
      try writeFileAtomically("\(path)/etc/\(name)", Array(text.utf8), mode: mode)
    }

    func provide() throws {
      let root = try RootDirectory(descriptor: try openFile(path, O_PATH | O_DIRECTORY), isOwn: true)
      try ImageAccounts(root: root).provide(ImageAccountsTests.role)
    }

    func refusal() -> String {
      do { try provide() } catch { return (error as? SetupError)?.message ?? "\(error)" }
      return "nothing"
    }

    func text(_ name: String) throws -> String {
      String(decoding: try readFile("\(path)/etc/\(name)"), as: UTF8.self)
    }
  }

  @Test func filesAreReplacedWithTheirModeAndNoMore() throws {
    let image = try Image()
    try image.write("passwd", "root:x:0:0::/:/bin/sh\n", mode: 0o666)
    try image.write("group", "workers:x:4343:\n", mode: 0o600)
    try image.write("shadow", "root:*:::::::\n", mode: 0o640)
    // Of a launch that was interrupted.
    try image.write(".passwd.aurora-executor", "half")
    let group = try status(of: image.path + "/etc/group")
    try image.provide()
    #expect(try image.text("passwd") == "root:x:0:0::/:/bin/sh\nworker:x:4242:4343::/:/bin/sh\n")
    #expect(try image.text("shadow").hasSuffix("worker:!:::::::\n"))
    // Nobody of the task can make himself a user (CVE-2025-7195).
    #expect(try status(of: image.path + "/etc/passwd").permissions == 0o644)
    #expect(try status(of: image.path + "/etc/shadow").permissions == 0o640)
    #expect(try status(of: image.path + "/etc/group") == group)
    #expect(try entries(of: image.path + "/etc").count == 3)
    // And is done with.
    let before = try status(of: image.path + "/etc/passwd")
    try image.provide()
    #expect(try status(of: image.path + "/etc/passwd") == before)
  }

  @Test func whatIsNoAccountFileIsRefusedAndNotWaitedFor() throws {
    let image = try Image()
    try image.write("group", "workers:x:4343:\n")
    try #require(mkfifo(image.path + "/etc/passwd", 0o644) == 0)
    #expect(image.refusal().contains("/etc/passwd of the image cannot be used: it is not a regular file"))
    try removeFile(image.path + "/etc/passwd")
    try makeSymbolicLink(image.path + "/etc/passwd", to: "/no/such/file", at: AT_FDCWD)
    #expect(image.refusal().contains("it is a link that leads nowhere in the image"))
    try removeFile(image.path + "/etc/passwd")
    try image.write("passwd", "root:x:0:0\0::/:/bin/sh\n")
    #expect(image.refusal().contains("it contains a NUL byte"))
    try image.write("passwd", String(repeating: "#\n", count: 1 << 20))
    #expect(image.refusal().contains("it is larger than 1048576 bytes"))
  }

  @Test func aLinkIsReadInsideTheImageAndNeverReplaced() throws {
    let image = try Image()
    try image.write("group", "workers:x:4343:\n")
    try makeSymbolicLink(image.path + "/etc/passwd", to: "/etc/real", at: AT_FDCWD)
    try image.write("real", "worker:x:4242:4343::/:/bin/sh\n")
    try image.provide()
    try image.write("real", "root:x:0:0::/:/bin/sh\n")
    #expect(image.refusal().contains("cannot add \"worker:x:4242:4343::/:/bin/sh\" to /etc/passwd of the image"))
    #expect(try image.text("real") == "root:x:0:0::/:/bin/sh\n")
  }
}
