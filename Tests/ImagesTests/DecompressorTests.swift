import LinuxKernel
import Testing

@testable import Images

/// Streams of each kind, whole and damaged, given in pieces of every size.
@Suite struct DecompressorTests {
  /// `gzip -n`, `zstd`, `xz -1` and `bzip2 -1` of "hello, hello, hello\n".
  private static let gzip: [UInt8] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0x40,
    0xa2, 0xb8, 0x00, 0xe7, 0x42, 0x6e, 0x52, 0x14, 0x00, 0x00, 0x00,
  ]
  private static let zstd: [UInt8] = [
    0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x75, 0x00, 0x00, 0x40, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x2c, 0x20, 0x0a, 0x01,
    0x00, 0xe2, 0x8a, 0x11, 0x21, 0x69, 0x9d, 0x87,
  ]
  private static let xz: [UInt8] = [
    0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01, 0x10, 0x00, 0x00,
    0x00, 0xa8, 0x70, 0x8e, 0x86, 0xe0, 0x00, 0x13, 0x00, 0x0e, 0x5d, 0x00, 0x34, 0x19, 0x49, 0xdb, 0x85, 0x5c, 0xd1,
    0xd6, 0x48, 0x41, 0xff, 0x11, 0x00, 0x00, 0x00, 0x00, 0x00, 0xb0, 0x48, 0x85, 0x59, 0xd7, 0xa9, 0xae, 0x4b, 0x00,
    0x01, 0x2a, 0x14, 0x7e, 0xad, 0x37, 0x55, 0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
  ]
  private static let bzip2: [UInt8] = [
    0x42, 0x5a, 0x68, 0x31, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0xcb, 0x52, 0xe5, 0x67, 0x00, 0x00, 0x05, 0x51, 0x00,
    0x00, 0x10, 0x40, 0x04, 0x02, 0x44, 0xa0, 0x00, 0x21, 0x24, 0x31, 0x08, 0x60, 0x2f, 0x18, 0x44, 0xc7, 0x15, 0x17,
    0x8b, 0xb9, 0x22, 0x9c, 0x28, 0x48, 0x65, 0xa9, 0x72, 0xb3, 0x80,
  ]
  /// `zstd` of 100,000 zeros.
  private static let dense: [UInt8] = [
    0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x55, 0x00, 0x00, 0x10, 0x00, 0x00, 0x01, 0x00, 0x9b, 0x86, 0x39, 0xc0, 0x02,
    0xdb, 0x23, 0x4e, 0xf3,
  ]
  private static let all = [gzip, zstd, xz, bzip2]
  private static let plain = Array("hello, hello, hello\n".utf8)

  private func decompress(_ bytes: [UInt8], by size: Int, budgets: Budgets = Budgets()) throws -> [UInt8] {
    let decompressor: any Decompressor =
      switch bytes.withUnsafeBytes({ Compression(magic: $0) }) {
      case .none: PassThrough()
      case .gzip: try GzipDecompressor(outputBytes: 7)
      case .zstd: try ZstdDecompressor(windowLog: 27, outputBytes: 7)
      case .xz: try XZDecompressor(memory: budgets.xzMemory, outputBytes: 7)
      case .bzip2: Bzip2Decompressor(outputBytes: 7)
      }
    var plain: [UInt8] = []
    var index = 0
    while index < bytes.count {
      let piece = Array(bytes[index..<min(index + size, bytes.count)])
      let result: Result<Void, ImageError> = piece.withUnsafeBytes { buffer in
        do throws(ImageError) {
          return .success(try decompressor.feed(buffer) { (out) throws(ImageError) in plain += out })
        } catch { return .failure(error) }
      }
      try result.get()
      index += size
    }
    try decompressor.finish()
    return plain
  }

  @Test(arguments: [1, 2, 3, 7, 1000])
  func piecesOfEverySizeGiveTheSame(size: Int) throws {
    for bytes in DecompressorTests.all {
      #expect(try decompress(bytes, by: size) == DecompressorTests.plain)
      #expect(try decompress(bytes + bytes, by: size) == DecompressorTests.plain + DecompressorTests.plain)
    }
  }

  @Test(arguments: [1, 1000])
  func damageIsRefused(size: Int) {
    for bytes in DecompressorTests.all {
      // Shorter than its magic it is taken for something else.
      for cut in 6..<bytes.count {
        #expect(throws: ImageError.self, "cut to \(cut)") { _ = try decompress(Array(bytes.prefix(cut)), by: size) }
      }
      let isPadded = bytes == DecompressorTests.xz
      for tail in [
        [0], isPadded ? [0, 0, 0] : [0, 0, 0, 0], Array("garbage".utf8), [0x1f], [0x1f, 0x8b], [0x28, 0xb5],
      ] as [[UInt8]] {
        #expect(throws: ImageError.self, "\(tail)") { _ = try decompress(bytes + tail, by: size) }
      }
    }
    for index in 10..<DecompressorTests.gzip.count {
      var bytes = DecompressorTests.gzip
      bytes[index] ^= 0x10
      #expect(throws: ImageError.self, "byte \(index)") { _ = try decompress(bytes, by: size) }
    }
  }

  @Test func windowsOfGigabytesAreRefused() {
    let error = #expect(throws: ImageError.self) {
      _ = try decompress([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00], by: 1000)
    }
    #expect(error?.description.contains("zstd") == true)
  }

  @Test func memoryOfXZIsBounded() {
    var budgets = Budgets()
    budgets.xzMemory = 100_000
    let error = #expect(throws: ImageError.self) {
      _ = try decompress(DecompressorTests.xz, by: 1000, budgets: budgets)
    }
    #expect(error?.description.contains("more than the limit of 100000") == true)
  }

  @Test func kindsAreToldByTheirFirstBytes() {
    func kind(_ bytes: [UInt8]) -> Compression { bytes.withUnsafeBytes { Compression(magic: $0) } }
    #expect(kind(DecompressorTests.gzip) == .gzip)
    #expect(kind(DecompressorTests.zstd) == .zstd)
    #expect(kind([0x50, 0x2a, 0x4d, 0x18]) == .zstd)
    #expect(kind(DecompressorTests.xz) == .xz)
    #expect(kind(DecompressorTests.bzip2) == .bzip2)
    #expect(kind(Array("BZh0".utf8)) == .none)
    #expect(kind(Array("plain".utf8)) == .none)
    #expect(kind([]) == .none)
    #expect(kind([0x1f]) == .none)
  }

  /// The whole of what the worker does, with its budgets.
  @Test func expansionHasALimit() throws {
    func inflate(_ bytes: [UInt8], _ budgets: Budgets) throws -> BlobInflater.Report {
      let input = SharedDescriptor(try sealedMemory("blob", bytes))
      let output = SharedDescriptor(try openFile("/dev/null", 1))
      defer { withExtendedLifetime((input, output)) {} }
      let stream = try ByteStream(input.rawValue, .everything, hashing: true, limit: .max)
      return try BlobInflater.run(stream, to: output.rawValue, budgets: budgets)
    }
    let report = try inflate(DecompressorTests.gzip, Budgets())
    #expect(report.digest == SHA256.digest(of: DecompressorTests.gzip))
    #expect(report.bytes == UInt64(DecompressorTests.gzip.count))
    var budgets = Budgets()
    budgets.unpackedBytes = 10
    #expect(throws: ImageError.self) { _ = try inflate(DecompressorTests.gzip, budgets) }
    budgets = Budgets()
    budgets.expansionFreeBytes = 1000
    #expect(throws: Never.self) { _ = try inflate(DecompressorTests.dense, Budgets()) }
    let error = #expect(throws: ImageError.self) { _ = try inflate(DecompressorTests.dense, budgets) }
    #expect(error?.description.contains("expands") == true)
  }
}
