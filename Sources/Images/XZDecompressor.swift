import CLzma
import Glibc
import LinuxKernel

/// xz by liblzma: any number of streams and their padding, and nothing behind the last. A stream can ask for gigabytes of
/// memory in a few bytes; beyond the budget it is refused.
final class XZDecompressor: Decompressor {
  private let stream: UnsafeMutablePointer<lzma_stream>
  private let output: UnsafeMutableRawBufferPointer
  private let memory: UInt64

  /// `LZMA_CONCATENATED` (lzma/container.h), whose macro Swift does not see.
  private static let concatenated: UInt32 = 0x08

  init(memory: UInt64, outputBytes: Int = 256 << 10) throws(ImageError) {
    self.memory = memory
    stream = .allocate(capacity: 1)
    stream.initialize(to: lzma_stream())
    output = .allocate(byteCount: outputBytes, alignment: 64)
    guard lzma_stream_decoder(stream, memory, XZDecompressor.concatenated) == LZMA_OK else {
      throw ImageError(Errno("lzma_stream_decoder", code: ENOMEM), doing: "start to decompress")
    }
  }

  deinit {
    lzma_end(stream)
    stream.deallocate()
    output.deallocate()
  }

  func feed(_ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws(ImageError) -> Void)
    throws(ImageError)
  {
    stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_in = input.count
    var full = false
    while stream.pointee.avail_in > 0 || full {
      let (_, count) = try step(LZMA_RUN)
      if count > 0 { try sink(UnsafeRawBufferPointer(rebasing: output[..<count])) }
      // A full buffer may mean that more output waits inside.
      full = count == output.count
    }
  }

  func finish() throws(ImageError) {
    stream.pointee.avail_in = 0
    guard try step(LZMA_FINISH).isEnd else { throw .invalid("the xz data is cut off") }
  }

  private func step(_ action: lzma_action) throws(ImageError) -> (isEnd: Bool, count: Int) {
    stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = output.count
    let result = lzma_code(stream, action)
    let count = output.count - stream.pointee.avail_out
    switch result {
    case LZMA_OK, LZMA_BUF_ERROR: return (false, count)
    case LZMA_STREAM_END: return (true, count)
    case LZMA_MEM_ERROR: throw ImageError(Errno("lzma_code", code: ENOMEM), doing: "decompress")
    case LZMA_MEMLIMIT_ERROR:
      throw .invalid("its xz data needs \(lzma_memusage(stream)) bytes of memory, more than the limit of \(memory)")
    case LZMA_FORMAT_ERROR: throw .invalid("bytes that are no xz follow the xz data")
    case LZMA_OPTIONS_ERROR: throw .invalid("xz data with options that this liblzma does not know")
    default: throw .invalid("corrupt xz data: error \(result.rawValue)")
    }
  }
}
