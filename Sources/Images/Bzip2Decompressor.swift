import CBzip2
import Glibc
import LinuxKernel

/// bzip2 by libbz2: any number of streams, one after the other, and nothing behind the last.
final class Bzip2Decompressor: Decompressor {
  private let stream: UnsafeMutablePointer<bz_stream>
  private let output: UnsafeMutableRawBufferPointer
  /// Between two streams, and before the first.
  private var isBetween = true

  init(outputBytes: Int = 256 << 10) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: bz_stream())
    output = .allocate(byteCount: outputBytes, alignment: 64)
  }

  deinit {
    if !isBetween { BZ2_bzDecompressEnd(stream) }
    stream.deallocate()
    output.deallocate()
  }

  func feed(_ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws(ImageError) -> Void)
    throws(ImageError)
  {
    guard let base = input.baseAddress else { return }
    // libbz2 never writes through next_in.
    stream.pointee.next_in = UnsafeMutablePointer(mutating: base.assumingMemoryBound(to: CChar.self))
    stream.pointee.avail_in = UInt32(input.count)
    var full = false
    while stream.pointee.avail_in > 0 || full {
      if isBetween { try begin() }
      stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: CChar.self)
      stream.pointee.avail_out = UInt32(output.count)
      let result = BZ2_bzDecompress(stream)
      let count = output.count - Int(stream.pointee.avail_out)
      if count > 0 { try sink(UnsafeRawBufferPointer(rebasing: output[..<count])) }
      // A full buffer may mean that more output waits inside.
      full = stream.pointee.avail_out == 0
      switch result {
      case BZ_OK: continue
      case BZ_STREAM_END:
        BZ2_bzDecompressEnd(stream)
        (isBetween, full) = (true, false)
      case BZ_MEM_ERROR: throw ImageError(Errno("BZ2_bzDecompress", code: ENOMEM), doing: "decompress")
      default: throw .invalid("corrupt bzip2 data: error \(result)")
      }
    }
  }

  func finish() throws(ImageError) {
    guard isBetween else { throw .invalid("the bzip2 data is cut off") }
  }

  private func begin() throws(ImageError) {
    guard stream.pointee.next_in.pointee == 0x42 else {
      throw .invalid("bytes that are no bzip2 follow the bzip2 data")
    }
    guard BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK else {
      throw ImageError(Errno("BZ2_bzDecompressInit", code: ENOMEM), doing: "start to decompress")
    }
    isBetween = false
  }
}
