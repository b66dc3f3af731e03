import Glibc
import LinuxKernel

/// What goes on beside a test, on a thread of its own: the pool that tests run in has a thread for each processor, and
/// they wait.
package final class Aside<Value: Sendable> {
  private final class Outcome: @unchecked Sendable {
    /// Written before the thread ends, read after it has been joined.
    var result: Result<Value, any Error>?
  }

  private let outcome = Outcome()
  private let thread: pthread_t

  package init(_ body: @escaping @Sendable () throws -> Value) throws(Errno) {
    let outcome = outcome
    thread = try startThread { outcome.result = Result(catching: body) }
  }

  /// Waits for its end, and gives what it returned or throws what it threw. Once.
  package func join() throws -> Value {
    pthread_join(thread, nil)
    guard let result = outcome.result else { throw Errno("pthread_join", code: EPROTO) }
    return try result.get()
  }

  /// Nobody waits for its end.
  package func leave() { pthread_detach(thread) }
}

/// Runs a body on a thread that somebody joins, or detaches.
func startThread(_ body: @escaping @Sendable () -> Void) throws(Errno) -> pthread_t {
  final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  let box = Unmanaged.passRetained(Box(body))
  let code = pthread_create(
    &thread, nil,
    { argument in
      guard let argument else { return nil }
      Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
      return nil
    }, box.toOpaque())
  guard code == 0 else {
    box.release()
    throw Errno("pthread_create", code: code)
  }
  return thread
}

/// Asks again and again until something is so, for ten seconds.
///
/// - Returns: whether it is.
package func waitUntil(_ isSo: () throws -> Bool) rethrows -> Bool {
  let end = Clock.now + 10_000_000_000
  while Clock.now < end {
    if try isSo() { return true }
    CurrentProcess.pause(milliseconds: 2)
  }
  return try isSo()
}
