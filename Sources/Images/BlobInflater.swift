import LinuxKernel

/// Decompresses one blob into a descriptor while it computes the digest of the blob as it is stored.
struct BlobInflater {
  struct Report: Sendable, Equatable {
    let digest: Digest
    let bytes: UInt64

    func write(to wire: inout WireWriter) {
      wire.put(digest)
      wire.put(bytes)
    }

    init(digest: Digest, bytes: UInt64) {
      self.digest = digest
      self.bytes = bytes
    }

    init(from wire: inout WireReader) throws(ImageError) {
      digest = try wire.digest()
      bytes = try wire.number()
    }
  }

  /// Writes the plain content of `stream`, which must compute a digest, to `output`.
  ///
  /// - Parameter onOutput: called with how much was written, before more is.
  static func run(
    _ stream: ByteStream, to output: Int32, budgets: Budgets, onOutput: (UInt64) throws(ImageError) -> Void = { _ in }
  ) throws(ImageError) -> Report {
    var decompressor: (any Decompressor)?
    var produced: UInt64 = 0
    while true {
      let piece = try stream.piece(upTo: .max)
      if piece.isEmpty { break }
      let active: any Decompressor
      if let decompressor {
        active = decompressor
      } else {
        active = try make(for: Compression(magic: piece), budgets: budgets)
        decompressor = active
      }
      try active.feed(piece) { (plain) throws(ImageError) in
        produced += UInt64(plain.count)
        guard produced <= budgets.unpackedBytes else {
          throw .invalid("it expands to more than the limit of \(budgets.unpackedBytes) bytes")
        }
        if produced > budgets.expansionFreeBytes, produced / budgets.expansion > stream.received {
          throw .invalid("it expands to more than \(budgets.expansion) times its size")
        }
        try onOutput(produced)
        try kernel("pass on decompressed data") { () throws(Errno) in try writeAll(plain, to: output) }
      }
    }
    try decompressor?.finish()
    return Report(digest: try stream.digest(), bytes: stream.received)
  }

  private static func make(for compression: Compression, budgets: Budgets) throws(ImageError) -> any Decompressor {
    switch compression {
    case .none: PassThrough()
    case .gzip: try GzipDecompressor()
    case .xz: try XZDecompressor(memory: budgets.xzMemory)
    case .bzip2: Bzip2Decompressor()
    case .zstd: try ZstdDecompressor(windowLog: budgets.zstdWindowLog)
    }
  }
}
