import Glibc
import LinuxKernel
import Testing

@testable import TaskStore

@Suite struct DirectoryPathTests {
  /// A directory with `real/inner`, a link `link` to `real`, and one that leads nowhere.
  private func withDirectory(_ body: (String) throws -> Void) throws {
    let template = "/tmp/aurora-path-\(CurrentProcess.pid)-\(UInt32.random(in: 0...UInt32.max))"
    try makeDirectories(template + "/real/inner", mode: 0o755)
    defer { try? removeTree(template) }
    try makeSymbolicLink(template + "/link", to: "real")
    try makeSymbolicLink(template + "/nowhere", to: template + "/missing")
    try body(String(decoding: try realPath(template), as: UTF8.self))
  }

  @Test func everySpellingOfADirectoryIsResolvedToOne() throws {
    try withDirectory { top in
      for spelled in [
        "/real/inner", "//real///inner/", "/./real/./inner/.", "/real/inner/../inner", "/link/inner",
        "/link/../link/inner",
        "/missing/../link/inner", "/missing/more/../../real/inner",
      ] {
        #expect(DirectoryPath.resolved(top + spelled) == top + "/real/inner", "\(spelled)")
      }
    }
  }

  @Test func whatIsNotThereKeepsItsName() throws {
    try withDirectory { top in
      #expect(DirectoryPath.resolved(top + "/link//new/./more/") == top + "/real/new/more")
      #expect(DirectoryPath.resolved(top + "/nowhere/x") == top + "/nowhere/x")
    }
  }

  @Test(arguments: [("/", "/"), ("//", "/"), ("/..", "/"), ("/../..//.", "/"), ("work/../x", "work/../x"), ("", "")])
  func rootStaysRootAndARelativePathItself(path: String, expected: String) {
    #expect(DirectoryPath.resolved(path) == expected)
  }
}
