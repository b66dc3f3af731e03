import CCrypto

/// SHA-256 of bytes that are in memory.
func sha256(_ bytes: [UInt8]) -> [UInt8] {
  var context = SHA256_CTX()
  var digest = [UInt8](repeating: 0, count: 32)
  // These fail for no reason that a caller could have.
  _ = SHA256_Init(&context)
  _ = bytes.withUnsafeBytes { SHA256_Update(&context, $0.baseAddress, $0.count) }
  _ = SHA256_Final(&digest, &context)
  return digest
}

func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
