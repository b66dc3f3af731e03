import Containers
import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import TaskStore
import Testing

/// The limits of an init in a container that an engine has made: nothing is taken from it, and it gets what it would have
/// natively.
@Suite struct InitLimitsTests {
  private static let fileSize: Int32 = 1
  private static let openFiles: Int32 = 7

  @Test func theBestIsTriedFirst() {
    let found = InitLimits.attempts((100, 200), (150, 300), asked: 1000)
    #expect(found.map(\.soft) == [150, 150, 150] && found.map(\.hard) == [1000, 300, 200])
  }

  @Test func nothingIsTakenFromWhatIsThere() {
    let found = InitLimits.attempts((500, 900), (100, 200), asked: 50)
    #expect(found.isEmpty)
    for pair in InitLimits.attempts((500, 900), (1000, 2000), asked: nil) {
      #expect(pair.soft >= 500 && pair.hard >= 900)
    }
  }

  @Test func whatAnEngineHasLoweredIsRaised() throws {
    let own = try ProcessLimits.get(Self.openFiles)
    let shell = try Shell("ulimit -S -n 20; ulimit -S -f 100; touch $READY; exec sleep 1000")
    try #require(try ProcessLimits.get(Self.openFiles, of: shell.pid).soft == 20)
    try InitLimits.raise(of: shell.pid, for: [])
    let raised = try ProcessLimits.get(Self.openFiles, of: shell.pid)
    #expect(raised.soft == own.soft && raised.hard >= own.hard)
    #expect(try ProcessLimits.get(Self.fileSize, of: shell.pid).soft == ProcessLimits.get(Self.fileSize).soft)
  }

  @Test func aProcessThatIsGoneHasNone() throws {
    let shell = try Shell("touch $READY; exec sleep 1000")
    shell.end()
    let failure = #expect(throws: ExecutorFailure.self) { try InitLimits.raise(of: shell.pid, for: []) }
    #expect(failure?.message.contains("cannot read the limit 0 of container-init") == true)
  }

  @Test(.enabled(if: geteuid() != 0, "root may lift any limit"))
  func logsThatWouldBeCutAreRefused() throws {
    let shell = try Shell("ulimit -f 100; touch $READY; exec sleep 1000")
    let failure = #expect(throws: ExecutorFailure.self) { try InitLimits.raise(of: shell.pid, for: []) }
    #expect(failure?.message.contains("write files above") == true)
  }
}
