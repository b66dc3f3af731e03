import CLinux

/// Memory through which bytes go from one descriptor to another, used again and again: no copy, no allocation.
package final class TransferBuffer {
  private let memory: UnsafeMutableRawBufferPointer
  /// How many bytes the last `fill` brought.
  package private(set) var count = 0
  package var capacity: Int { memory.count }

  package init(capacity: Int) {
    memory = .allocate(byteCount: capacity, alignment: 4096)
  }

  deinit { memory.deallocate() }

  /// Reads once, at most `limit` bytes. 0 at the end of the file; `nil` when a non-blocking descriptor has nothing.
  package func fill(from source: borrowing FileDescriptor, upTo limit: Int = .max) throws(Errno) -> Int? {
    let number = source.rawValue
    count = 0
    let wanted = min(limit, memory.count)
    do throws(Errno) {
      count = try retrying("read") { CLinux.read(number, memory.baseAddress, wanted) }
    } catch  where error.code == EAGAIN {
      return nil
    }
    return count
  }

  /// Writes that part of what was read, however many calls it takes.
  package func write(_ range: Range<Int>, to target: borrowing FileDescriptor) throws(Errno) {
    let number = target.rawValue
    var start = range.lowerBound
    while start < range.upperBound, let base = memory.baseAddress {
      start += try retrying("write") { CLinux.write(number, base + start, range.upperBound - start) }
    }
  }

  package func lastIndex(of byte: UInt8, in range: Range<Int>) -> Int? { memory[range].lastIndex(of: byte) }
  package func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? { memory[range].firstIndex(of: byte) }
}
