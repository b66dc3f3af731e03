/// How far one layer is that the store lacks. Numbers come from workers and servers, and are for show only.
package struct LayerProgress: Sendable, Equatable {
  package enum Phase: String, Sendable {
    /// Nothing of it has come, or its turn has not.
    case waiting
    /// It comes, and is unpacked as it comes.
    case fetching
    /// All of it is there.
    case unpacking
    case done
  }

  /// What it is known by: the digest of its blob, or of its content; `nil` in archives that state neither.
  package let digest: Digest?
  /// Which layer of the image it is, from 1 on, bottom to top.
  package let number: Int
  package var phase: Phase
  /// Bytes that are there, for unpacking.
  package var fetched: UInt64
  /// Bytes that were unpacked, of those.
  package var unpacked: UInt64
  /// How long it is as it is stored.
  package let size: UInt64
}
