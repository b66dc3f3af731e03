import CCrypto

/// A SHA-256 that takes its input in pieces.
///
/// libcrypto's own functions, and not its EVP interface: that brings in everything else that the library can do, and a
/// configuration file which would be the image's in a worker that has made a layer its root.
package struct SHA256: ~Copyable {
  private var context = SHA256_CTX()

  // None of these fails (SHA256_Init(3)).
  package init() { _ = SHA256_Init(&context) }

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    _ = SHA256_Update(&context, bytes.baseAddress, bytes.count)
  }

  /// The digest of everything so far.
  package consuming func finish() -> Digest {
    var value = [UInt8](repeating: 0, count: 32)
    _ = SHA256_Final(&value, &context)
    return Digest(sha256: value)
  }

  /// The digest of bytes that are in memory.
  package static func digest(of bytes: [UInt8]) -> Digest {
    var hash = SHA256()
    bytes.withUnsafeBytes { hash.update($0) }
    return hash.finish()
  }
}
