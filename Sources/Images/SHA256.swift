import CCrypto
import Glibc
import LinuxKernel

/// A SHA-256 that takes its input in pieces (libcrypto's EVP interface, which uses the processor's own instructions).
struct SHA256: ~Copyable {
  private let context: OpaquePointer

  /// Makes libcrypto usable without its configuration file.
  ///
  /// It would otherwise read `openssl.cnf` when it is first used and load the modules that the file names: in a worker
  /// that has made a layer its root, that would be a file of the image.
  static func prepareLibrary() {
    _ = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_LOAD_CONFIG) | UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
  }

  init() throws(ImageError) {
    SHA256.prepareLibrary()
    guard let context = EVP_MD_CTX_new() else {
      throw ImageError(Errno("EVP_MD_CTX_new", code: ENOMEM), doing: "compute a digest")
    }
    guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      EVP_MD_CTX_free(context)
      throw ImageError(Errno("EVP_DigestInit_ex", code: ENOMEM), doing: "compute a digest")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  func update(_ bytes: UnsafeRawBufferPointer) { _ = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) }

  /// The digest of everything so far; nothing may be added afterwards.
  consuming func finish() throws(ImageError) -> Digest {
    var value = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    guard EVP_DigestFinal_ex(context, &value, &length) == 1, let digest = Digest(rawBytes: value.prefix(Int(length)))
    else { throw ImageError(Errno("EVP_DigestFinal_ex", code: EINVAL), doing: "compute a digest") }
    return digest
  }

  /// The digest of bytes that are in memory.
  static func digest(of bytes: [UInt8]) throws(ImageError) -> Digest {
    let hash = try SHA256()
    bytes.withUnsafeBytes { hash.update($0) }
    return try hash.finish()
  }
}
