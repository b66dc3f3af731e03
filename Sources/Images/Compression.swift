/// How a blob is compressed, told by its first bytes and not by what somebody calls it.
enum Compression: Sendable, Equatable {
  case none
  case gzip
  case zstd
  case xz
  case bzip2

  init(magic: UnsafeRawBufferPointer) {
    if magic.count >= 3, magic[0] == 0x1f, magic[1] == 0x8b, magic[2] == 8 {
      self = .gzip
    } else if magic.count >= 4, magic[1] == 0xb5, magic[2] == 0x2f, magic[3] == 0xfd, magic[0] == 0x28 {
      self = .zstd
    } else if magic.count >= 4, magic[0] & 0xf0 == 0x50, magic[1] == 0x2a, magic[2] == 0x4d, magic[3] == 0x18 {
      self = .zstd  // a skippable frame, as seekable variants of zstd start with
    } else if magic.count >= 6, magic[..<6].elementsEqual([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) {
      self = .xz
    } else if magic.count >= 4, magic[..<3].elementsEqual("BZh".utf8), (0x31...0x39).contains(magic[3]) {
      self = .bzip2
    } else {
      self = .none
    }
  }
}

/// Turns compressed pieces into plain ones.
///
/// `feed` is called with one piece of input after the other, and gives its output to `sink` as it comes; `finish` is
/// called at the end of the input. What is behind the compressed data, or missing from it, is an error.
protocol Decompressor: AnyObject {
  func feed(_ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws(ImageError) -> Void)
    throws(ImageError)
  func finish() throws(ImageError)
}

/// Input that is not compressed.
final class PassThrough: Decompressor {
  func feed(_ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws(ImageError) -> Void)
    throws(ImageError)
  {
    try sink(input)
  }

  func finish() throws(ImageError) {}
}
