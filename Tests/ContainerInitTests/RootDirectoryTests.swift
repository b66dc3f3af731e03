import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// Paths of an image, which may lead anywhere: a directory of the test's own stands for the root.
@Suite struct RootDirectoryTests {
  private final class Tree {
    let path = "/tmp/aurora-root-\(UInt64.random(in: 0 ... .max))"
    let root: RootDirectory

    init(isOwn: Bool = true) throws {
      try makeDirectories(path)
      root = try RootDirectory(descriptor: try openFile(path, O_PATH | O_DIRECTORY), isOwn: isOwn)
    }
    deinit { try? removeTree(path) }

    func link(_ name: String, to content: String) throws {
      try makeSymbolicLink("\(path)/\(name)", to: content, at: AT_FDCWD)
    }

    func isThere(_ name: String) -> Bool { (try? status(of: path + name)) != nil }

    /// Where a descriptor leads, from the root on.
    func place(_ file: borrowing FileDescriptor) throws -> String {
      let all = try readSymbolicLink("/proc/self/fd/\(file.rawValue)")
      return String(decoding: all.dropFirst(path.utf8.count), as: UTF8.self)
    }
  }

  private func message(_ body: () throws -> Void) -> String {
    do { try body() } catch { return (error as? SetupError)?.message ?? "\(error)" }
    return "nothing"
  }

  @Test func aDirectoryIsMadeWithItsParents() throws {
    let tree = try Tree()
    #expect(try tree.place(tree.root.directory("/a/b//c", mode: 0o700)) == "/a/b/c")
    #expect(try status(of: tree.path + "/a/b").permissions == 0o700)
    #expect(try tree.place(tree.root.directory("/a/b")) == "/a/b")
    #expect(message { _ = try tree.root.directory("/a/new/../b").rawValue }.contains("\"..\" is not allowed here"))
  }

  @Test func linksLeadWhereTheyWouldInTheContainer() throws {
    let tree = try Tree()
    try makeDirectories(tree.path + "/real")
    for (name, content) in [("absolute", "/real"), ("above", "../../../real"), ("host", "/tmp")] {
      try tree.link(name, to: content)
    }
    #expect(try tree.place(tree.root.directory("/absolute/x")) == "/real/x")
    #expect(try tree.place(tree.root.directory("/above/y")) == "/real/y")
    // Not the host's.
    #expect(try tree.root.existing("/host") == nil)
    #expect(message { _ = try tree.root.realDirectory("/absolute").rawValue }.contains("passes a symbolic link"))
    #expect(message { _ = try tree.root.realDirectory("/absolute/z").rawValue }.contains("passes a symbolic link"))
    #expect(!tree.isThere("/real/z"))
  }

  @Test func aFileIsNoDirectory() throws {
    let tree = try Tree()
    try writeFileAtomically(tree.path + "/file", [])
    #expect(message { _ = try tree.root.directory("/file").rawValue }.contains("/file in the image is not a directory"))
    #expect(message { _ = try tree.root.directory("/file/x").rawValue }.contains("is not a directory"))
    #expect(try tree.root.existing("/file/x") == nil)
  }

  @Test func whatAMountGoesOnIsMadeOfItsKind() throws {
    let tree = try Tree()
    #expect(try tree.place(tree.root.mountPoint("/etc/hosts", forDirectory: false)) == "/etc/hosts")
    #expect(try status(of: tree.path + "/etc/hosts").isRegularFile)
    #expect(try tree.place(tree.root.mountPoint("/data", forDirectory: true)) == "/data")
    // It is there now.
    #expect(try tree.place(tree.root.mountPoint("/data", forDirectory: true)) == "/data")
    for (path, isDirectory, words) in [("/data", false, "a directory (EISDIR)"), ("/etc/hosts", true, "(ENOTDIR)")] {
      let said = message { _ = try tree.root.mountPoint(path, forDirectory: isDirectory).rawValue }
      #expect(said.contains(words))
    }
  }

  /// As images have it for `/etc/resolv.conf`.
  @Test(arguments: ["/run/resolv.conf", "../run/resolv.conf", "../../../run/./resolv.conf", "other"])
  func aLinkThatLeadsNowhereSaysWhereAMountGoes(content: String) throws {
    let tree = try Tree()
    try makeDirectories(tree.path + "/etc")
    try tree.link("etc/resolv.conf", to: content)
    try tree.link("etc/other", to: "/run/resolv.conf")
    #expect(try tree.place(tree.root.mountPoint("/etc/resolv.conf", forDirectory: false)) == "/run/resolv.conf")
    #expect(try readSymbolicLink(tree.path + "/etc/resolv.conf") == Array(content.utf8))
  }

  @Test func linksInACircleAreRefused() throws {
    let tree = try Tree()
    try tree.link("a", to: "b")
    try tree.link("b", to: "a")
    #expect(message { _ = try tree.root.mountPoint("/a", forDirectory: false).rawValue }.contains("ELOOP"))
    #expect(message { _ = try tree.root.directory("/a/x").rawValue }.contains("ELOOP"))
  }

  /// A volume, or the host's root.
  @Test func nothingIsMadeOnTheFileSystemOfSomebodyElse() throws {
    let tree = try Tree(isOwn: false)
    try makeDirectories(tree.path + "/there")
    #expect(try tree.place(tree.root.mountPoint("/there", forDirectory: true)) == "/there")
    for isDirectory in [true, false] {
      let said = message { _ = try tree.root.mountPoint("/there/new", forDirectory: isDirectory).rawValue }
      #expect(said.contains("/there/new does not exist") && said.contains("EROFS"))
    }
    #expect(!tree.isThere("/there/new"))
    // Once it is known for this launch's.
    try tree.root.addOwn(try openFile(tree.path, O_PATH | O_DIRECTORY))
    #expect(try tree.place(tree.root.mountPoint("/there/new", forDirectory: true)) == "/there/new")
  }

  @Test func aPlaceIsWhatIsThereAndTheRest() throws {
    let tree = try Tree()
    try makeDirectories(tree.path + "/real")
    try tree.link("link", to: "/real")
    let root = Array(tree.path.utf8).pathComponents
    #expect(try tree.root.place("/link/a/b") == root + ["real", "a", "b"].map { Array($0.utf8) })
    #expect(try tree.root.place("/") == root)
    let (parent, name) = tree.root.split("//a/b/")
    #expect(parent == "/a" && name == Array("b".utf8))
    #expect(tree.root.split("x").parent == "/")
  }
}
