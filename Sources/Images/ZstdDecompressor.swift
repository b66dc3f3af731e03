import CZstd
import Glibc
import LinuxKernel

/// zstd (RFC 8878) by libzstd: any number of frames, and nothing behind the last. A frame can ask for a window of
/// gigabytes in nine bytes; beyond the budget it is refused.
final class ZstdDecompressor: Decompressor {
  private let context: OpaquePointer
  private let output: UnsafeMutableRawBufferPointer
  private var betweenFrames = true

  init(windowLog: Int, outputBytes: Int = 256 << 10) throws(ImageError) {
    guard let context = ZSTD_createDCtx() else {
      throw ImageError(Errno("ZSTD_createDCtx", code: ENOMEM), doing: "start to decompress")
    }
    self.context = context
    output = .allocate(byteCount: outputBytes, alignment: 64)
    guard ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Int32(windowLog))) == 0 else {
      throw ImageError(Errno("ZSTD_DCtx_setParameter", code: EINVAL), doing: "start to decompress")
    }
  }

  deinit {
    ZSTD_freeDCtx(context)
    output.deallocate()
  }

  func feed(_ bytes: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws(ImageError) -> Void)
    throws(ImageError)
  {
    var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    var full = false
    while input.pos < input.size || full {
      var room = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
      let result = ZSTD_decompressStream(context, &room, &input)
      guard ZSTD_isError(result) == 0 else {
        throw .invalid("corrupt zstd data: \(String(cString: ZSTD_getErrorName(result)))")
      }
      if room.pos > 0 { try sink(UnsafeRawBufferPointer(rebasing: output[..<room.pos])) }
      betweenFrames = result == 0
      full = room.pos == room.size && !betweenFrames
    }
  }

  func finish() throws(ImageError) {
    guard betweenFrames else { throw .invalid("the zstd data is cut off") }
  }
}
