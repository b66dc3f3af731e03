extension Digest {
  /// The SHA-256 of bytes that are in memory.
  package static func sha256(of bytes: [UInt8]) -> Digest { SHA256.digest(of: bytes) }
}
