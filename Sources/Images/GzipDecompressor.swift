import CZlib
import Glibc
import LinuxKernel

/// gzip (RFC 1952) by zlib: any number of members, one after the other, and nothing behind the last.
final class GzipDecompressor: Decompressor {
  private let stream: UnsafeMutablePointer<z_stream>
  private let output: UnsafeMutableRawBufferPointer
  /// Between two members, and before the first.
  private var betweenMembers = true

  init(outputBytes: Int = 256 << 10) throws(ImageError) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    output = .allocate(byteCount: outputBytes, alignment: 64)
    // 15 bits of window, and 16 for "gzip only": a zlib stream is not what the magic promised.
    guard inflateInit2_(stream, 15 + 16, zlibVersion(), Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw ImageError(Errno("inflateInit2", code: ENOMEM), doing: "start to decompress")
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    output.deallocate()
  }

  func feed(_ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws(ImageError) -> Void)
    throws(ImageError)
  {
    guard let base = input.baseAddress else { return }
    // zlib never writes through next_in; its type says so only when compiled with ZLIB_CONST.
    stream.pointee.next_in = UnsafeMutablePointer(mutating: base.assumingMemoryBound(to: Bytef.self))
    stream.pointee.avail_in = UInt32(input.count)
    var full = false
    while stream.pointee.avail_in > 0 || full {
      if betweenMembers {
        guard stream.pointee.avail_in > 0 else { return }
        // The first byte of the next member must be a magic number; zlib checks the others.
        guard stream.pointee.next_in.pointee == 0x1f else {
          throw .invalid("bytes that are no gzip follow the gzip data")
        }
        betweenMembers = false
      }
      stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: Bytef.self)
      stream.pointee.avail_out = UInt32(output.count)
      let result = inflate(stream, Z_NO_FLUSH)
      let count = output.count - Int(stream.pointee.avail_out)
      if count > 0 { try sink(UnsafeRawBufferPointer(rebasing: output[..<count])) }
      // A full buffer may mean that more output waits inside.
      full = stream.pointee.avail_out == 0
      switch result {
      case Z_OK: continue
      case Z_BUF_ERROR where stream.pointee.avail_in == 0: full = false
      case Z_STREAM_END:
        guard inflateReset(stream) == Z_OK else { throw .invalid("the gzip data cannot be continued") }
        betweenMembers = true
        full = false
      case Z_MEM_ERROR: throw ImageError(Errno("inflate", code: ENOMEM), doing: "decompress")
      default:
        let message = stream.pointee.msg.map { String(cString: $0) } ?? "error \(result)"
        throw .invalid("corrupt gzip data: \(message)")
      }
    }
  }

  func finish() throws(ImageError) {
    guard betweenMembers else { throw .invalid("the gzip data is cut off") }
  }
}
