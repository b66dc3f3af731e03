import Glibc
import Testing

@testable import LinuxKernel

@Suite struct RemoveTreeTests {
  private let path = "/tmp/aurora-remove-\(UInt64.random(in: 0 ... .max))"

  /// A tree as deep as that, with a file at each level.
  private func make(depth: Int) throws {
    try makeDirectory(path, mode: 0o700)
    var directory = try openFile(path, O_RDONLY | O_DIRECTORY)
    for _ in 0..<depth {
      try makeDirectory("d", mode: 0o700, at: directory.rawValue)
      _ = try openFile("f", O_WRONLY | O_CREAT, mode: 0o600, at: directory.rawValue)
      directory = try openFile("d", O_RDONLY | O_DIRECTORY, at: directory.rawValue)
    }
  }

  @Test func aDeepTreeGoes() throws {
    try make(depth: 5000)
    try removeTree(path)
    #expect((try? status(of: path)) == nil)
  }

  @Test func whatIsNotRemovedInTimeStaysForTheNext() throws {
    try make(depth: 5000)
    #expect(throws: Errno("unlink", code: ETIMEDOUT)) { try removeTree(path, until: Clock.now) }
    var rounds = 0
    while (try? removeTree(path, until: Clock.now + 20_000_000)) == nil {
      rounds += 1
      try #require(rounds < 2000)
    }
    #expect((try? status(of: path)) == nil)
  }

  @Test func whatCannotBeRemovedKeepsNothingElse() throws {
    // Root could remove everything: this thread looks at files as nobody. Glibc's module does not show the call.
    let symbol = try #require(dlsym(nil, "setfsuid"))
    let setfsuid = unsafeBitCast(symbol, to: (@convention(c) (UInt32) -> Int32).self)
    let user = CurrentProcess.effectiveUser
    _ = setfsuid(user == 0 ? 65534 : user)
    defer {
      chmod(path + "/a/locked", 0o700)
      try? removeTree(path)
      _ = setfsuid(user)
    }
    try makeDirectory(path, mode: 0o700)
    for name in ["/a", "/a/locked", "/a/d", "/a/d/deeper"] { try makeDirectory(path + name, mode: 0o700) }
    for name in ["/a/locked/f", "/a/d/deeper/f", "/a/f"] {
      _ = try openFile(path + name, O_WRONLY | O_CREAT, mode: 0o600)
    }
    #expect(chmod(path + "/a/locked", 0o555) == 0)
    #expect(throws: Errno("unlink", code: EACCES)) { try removeTree(path) }
    #expect(try entries(of: path).map { String(decoding: $0.name, as: UTF8.self) } == ["a"])
    #expect(try entries(of: path + "/a").map { String(decoding: $0.name, as: UTF8.self) } == ["locked"])
  }

  @Test func whatIsNotThereIsGone() throws { try removeTree(path, until: 0) }
}
