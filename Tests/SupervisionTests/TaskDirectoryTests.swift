import Glibc
import LinuxKernel
import Testing

@testable import Supervision
@testable import TaskStore

/// What is put aside is no task's any more, and `sweep` finds it.
@Suite struct TaskDirectoryTests {
  private final class Host {
    let path = "/tmp/aurora-aside-\(UInt64.random(in: 0 ... .max))"
    let paths: TaskPaths

    init() throws {
      paths = TaskPaths(workDirectory: path, runDirectory: path + "/r", taskID: "t-1")
      try makeDirectories(paths.task)
    }
    deinit { try? removeTree(path) }

    func makeRootfs() throws {
      try makeDirectories(paths.upper + "/a/b")
      try writeFileAtomically(paths.upper + "/a/file", [1])
    }
  }

  @Test func theWritableLayerGoesInTwoSteps() throws {
    let host = try Host()
    try host.makeRootfs()
    #expect(host.paths.putRootfsAside(keeping: false) == [])
    #expect(!host.paths.hasRootfs)
    let aside = TaskDirectory.aside(host.paths)
    #expect(TaskDirectory.leftovers(host.path) == [aside])
    #expect(try TaskPaths.allIDs(host.path) == ["t-1"])
    #expect(Residue.of(host.paths, hasRunDirectory: false) == [aside])
    #expect(TaskDirectory.removeAside(host.paths) == [])
    #expect(TaskDirectory.leftovers(host.path) == [])
    // There is nothing, which is no fault.
    #expect(host.paths.putRootfsAside(keeping: false) + TaskDirectory.removeAside(host.paths) == [])
  }

  @Test func oneThatIsKeptStaysWhereItIs() throws {
    let host = try Host()
    try host.makeRootfs()
    #expect(host.paths.putRootfsAside(keeping: true).count == 1)
    #expect(host.paths.hasRootfs && TaskDirectory.leftovers(host.path) == [])
  }

  @Test func whatIsThereAlreadyIsInNobodysWay() throws {
    let host = try Host()
    for _ in 0..<2 {
      try host.makeRootfs()
      #expect(host.paths.putRootfsAside(keeping: false) == [])
    }
    #expect(!host.paths.hasRootfs)
    #expect(TaskDirectory.leftovers(host.path).count == 2)
  }

  @Test func whoeverSweepsIsLeftAlone() throws {
    let host = try Host()
    try host.makeRootfs()
    _ = host.paths.putRootfsAside(keeping: false)
    let lock = try #require(try TaskLock.hold(TaskDirectory.aside(host.paths)))
    #expect(TaskDirectory.removeAside(host.paths) == [])
    #expect(TaskDirectory.leftovers(host.path).count == 1)
    withExtendedLifetime(lock) {}
  }
}
