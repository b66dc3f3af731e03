import Images

/// How far a pull is: each of them is news, but for `importing`, which comes now and then.
package enum PullProgress: Sendable {
  /// Another pull of the same name is waited for.
  case waiting
  /// What the name means now.
  case resolved(Digest)
  /// So many layers are needed, of which so many bytes are to be fetched; the others the store has.
  case layers(missing: Int, of: Int, bytes: UInt64)
  /// A layer is there, and it is what it should be.
  case fetched(Digest, bytes: UInt64)
  /// Something is asked for again after a pause.
  case retrying(what: String, why: String, milliseconds: UInt64)
  /// Something that may be the reason for what comes.
  case warning(String)
  /// Layers come, are unpacked and go into the store.
  case importing(ImportProgress)
  /// The store had the image.
  case present
}
