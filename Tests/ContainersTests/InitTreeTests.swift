import Glibc
import LinuxKernel
import PlayedInit
import Testing

@testable import Containers

/// Without a cgroup or a pid namespace, all that descends from an init is found and killed.
@Suite struct InitTreeTests {
  private func children(of pid: Int32) -> [Int32] {
    let bytes = (try? readFile("/proc/\(pid)/task/\(pid)/children")) ?? []
    return bytes.split(separator: UInt8(ascii: " ")).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
  }

  @Test func everythingBelowItEndsAndItDoes() throws {
    // A child, one that ignores what it can, and a grandchild in a session of its own.
    let shell = try Shell(
      """
      sleep 1000 & (trap '' TERM INT HUP; sleep 1000; sleep 1000) &
      sh -c 'setsid sleep 1000 & wait' & touch $READY; wait
      """)
    var found: [Int32] = []
    _ = waitUntil {
      found = children(of: shell.pid)
      found += found.flatMap(children)
      return found.count == 5
    }
    #expect(found.count == 5)
    let handles = try found.map { SharedDescriptor(try openProcess($0)) }
    InitTree(pid: shell.pid, process: shell.handle).kill()
    #expect(ProcessHandle.waitForEnd(shell.handle.rawValue, milliseconds: 5000))
    for handle in handles { #expect(ProcessHandle.waitForEnd(handle.rawValue, milliseconds: 5000)) }
    // Killed, not ended by itself: nobody wrote an end down.
    #expect(ProcessHandle.end(shell.handle.rawValue) == .signaled(SIGKILL))
  }

  @Test func oneThatIsGoneIsNoTrouble() throws {
    let shell = try Shell("touch $READY; exec sleep 1000")
    shell.end()
    let began = Clock.now
    InitTree(pid: shell.pid, process: shell.handle).kill()
    #expect(Clock.now - began < 1_000_000_000)
  }
}
