/// What a request sends as its body.
public enum UploadBody: Sendable {
  /// Bytes in memory.
  case bytes([UInt8])
  /// What can be read from an open descriptor, which stays the caller's. Without a length, everything to its end.
  ///
  /// Reading blocks, so for use in an event loop this must be a regular file.
  case descriptor(Int32, length: UInt64?)
}
