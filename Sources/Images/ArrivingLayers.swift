import LinuxKernel

/// Layers that come while they are unpacked: what a pull is to an import.
///
/// An import asks for the blobs that the store lacks, lets them come while it waits for its workers, and gives each to a
/// worker as soon as there is something of it. Files only grow, until one has to begin anew: then its `attempt` changes.
package protocol ArrivingLayers: AnyObject {
  /// Has these come, of an image with so many layers; those of them that came already are there.
  func want(_ blobs: [WantedBlob], of layers: Int) throws(ImageError)
  /// What can be read when there is something for `advance` to do.
  var descriptors: [Int32] { get }
  /// After so many milliseconds `advance` has something to do in any case.
  var patience: Int32 { get }
  /// Takes what has come.
  func advance() throws(ImageError)
  /// The file that a blob grows in, for reading; `nil` before there is enough to tell how it is compressed.
  func open(_ digest: Digest) throws(ImageError) -> FileDescriptor?
  /// How far a blob is.
  func state(_ digest: Digest) -> BlobState
}

/// How far a blob is on its way.
package struct BlobState: Sendable, Equatable {
  /// Changes when it begins anew, and what came before was not the blob.
  package var attempt = 0
  package var bytes: UInt64
  /// Whether all of it is there, with the digest that is its name.
  package var isComplete: Bool

  package init(attempt: Int = 0, bytes: UInt64, isComplete: Bool) {
    self.attempt = attempt
    self.bytes = bytes
    self.isComplete = isComplete
  }
}

/// A blob that an import needs.
package struct WantedBlob: Sendable, Equatable {
  package let digest: Digest
  package let size: UInt64
}
