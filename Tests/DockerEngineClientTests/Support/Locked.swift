// Neither the C library's header for threads nor the standard library's `Mutex`, which imports it, goes together with
// LinuxKernel's view of the same headers in one module.
@_silgen_name("pthread_mutex_lock")
private func lockMutex(_ mutex: UnsafeMutableRawPointer) -> Int32
@_silgen_name("pthread_mutex_unlock")
private func unlockMutex(_ mutex: UnsafeMutableRawPointer) -> Int32

/// A value that several threads of a test share.
final class Locked<Value: Sendable>: @unchecked Sendable {
  // Unchecked: `value` is touched only while the mutex is held.
  private var value: Value
  private let mutex: UnsafeMutableRawPointer

  init(_ value: Value) {
    self.value = value
    // At least as large as any pthread_mutex_t; all zeros is PTHREAD_MUTEX_INITIALIZER.
    mutex = .allocate(byteCount: 128, alignment: 16)
    mutex.initializeMemory(as: UInt8.self, repeating: 0, count: 128)
  }

  deinit { mutex.deallocate() }

  func withLock<T>(_ body: (inout Value) throws -> T) rethrows -> T {
    _ = lockMutex(mutex)
    defer { _ = unlockMutex(mutex) }
    return try body(&value)
  }
}
