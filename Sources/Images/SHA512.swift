import CCrypto

/// A SHA-512 that takes its input in pieces: what AppC names images by.
struct SHA512: ~Copyable {
  private var context = SHA512_CTX()

  // None of these fails (SHA512_Init(3)).
  init() { _ = SHA512_Init(&context) }

  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    _ = SHA512_Update(&context, bytes.baseAddress, bytes.count)
  }

  /// The 64 bytes that everything so far hashes to.
  consuming func finish() -> [UInt8] {
    var value = [UInt8](repeating: 0, count: 64)
    _ = SHA512_Final(&value, &context)
    return value
  }
}
