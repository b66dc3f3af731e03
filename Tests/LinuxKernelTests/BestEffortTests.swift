import Glibc
import Synchronization
import Testing

@testable import LinuxKernel

/// One suite for the whole program: there is one listener.
@Suite(.serialized) struct BestEffortTests {
  private final class Heard: Sendable {
    let attempts = Mutex<[FailedAttempt]>([])

    /// Others may be at it at the same time.
    func of(_ test: String) -> [FailedAttempt] { attempts.withLock { $0.filter { $0.what.hasPrefix(test) } } }
  }

  private func listening(_ body: (Heard) throws -> Void) rethrows {
    let heard = Heard()
    FailedAttempts.tell { attempt in heard.attempts.withLock { $0.append(attempt) } }
    defer { FailedAttempts.tell(nil) }
    try body(heard)
  }

  @Test func whatFailsIsTold() throws {
    try listening { heard in
      let missing = "/nowhere/\(UInt64.random(in: 0 ... .max))"
      bestEffort("told: remove \(missing)") { try removeFile(missing) }
      let attempt = try #require(heard.of("told:").first)
      #expect(attempt.what == "told: remove \(missing)" && attempt.errno?.code == ENOENT)
      #expect(heard.of("told:").count == 1)
    }
  }

  @Test func whatIsExpectedIsNot() {
    listening { heard in
      bestEffort("expected: remove it", tolerating: ENOTDIR, ENOENT) { try removeFile("/nowhere/at/all") }
      #expect(heard.of("expected:").isEmpty)
      bestEffort("expected: remove it", tolerating: ENOTDIR) { try removeFile("/nowhere/at/all") }
      #expect(heard.of("expected:").count == 1)
    }
  }

  @Test func whatWorksIsGivenBack() {
    listening { heard in
      #expect(bestEffort("given: count") { 7 } == 7)
      #expect(bestEffort("given: nothing", attempt: {}) != nil)
      #expect(bestEffort("given: read", attempt: { try readFile("/nowhere/at/all") }) == nil)
      #expect(heard.of("given:").map(\.what) == ["given: read"])
    }
  }

  @Test func wordsAreMadeForWhoListens() {
    var made = 0
    func words() -> String {
      made += 1
      return "words: remove it"
    }
    FailedAttempts.tell(nil)
    bestEffort(words()) { try removeFile("/nowhere/at/all") }
    #expect(made == 0)
    listening { _ in bestEffort(words()) { try removeFile("/nowhere/at/all") } }
    #expect(made == 1)
  }

  @Test func whoListensMayTryToo() {
    let heard = Mutex(0)
    FailedAttempts.tell { _ in
      if heard.withLock({
        $0 += 1; return $0
      }) == 1 {
        bestEffort("again: remove it") { try removeFile("/nowhere/at/all") }
      }
    }
    bestEffort("again: remove it") { try removeFile("/nowhere/at/all") }
    FailedAttempts.tell(nil)
    #expect(heard.withLock { $0 } >= 2)
  }
}
