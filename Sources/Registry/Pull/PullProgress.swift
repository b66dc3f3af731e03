import Images

/// How far a pull is: each of them is news, but for `fetching`, which comes now and then.
package enum PullProgress: Sendable {
  /// Another pull of the same name is waited for.
  case waiting
  /// What the name means now.
  case resolved(Digest)
  /// So many layers are fetched, of so many bytes; the others the store has.
  case layers(missing: Int, of: Int, bytes: UInt64)
  /// Bytes that are there of all that are fetched.
  case fetching(bytes: UInt64, of: UInt64)
  /// A layer is there, and it is what it should be.
  case fetched(Digest, bytes: UInt64)
  /// Something is asked for again after a pause.
  case retrying(what: String, why: String, milliseconds: UInt64)
  /// What was fetched goes into the store.
  case importing(ImportProgress)
  /// The store had the image.
  case present
}
