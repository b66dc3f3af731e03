/// What an image may cost at most. Beyond a budget it is refused, never cut.
package struct Budgets: Sendable, Equatable {
  /// A manifest, an index.
  package var documentBytes = 4 << 20
  /// An image's configuration.
  package var configurationBytes = 1 << 20
  package var layers = 128
  /// A layer as it is stored in the archive.
  package var compressedBytes: UInt64 = 8 << 30
  /// A layer unpacked: the tar stream, and the sizes that its files claim.
  package var unpackedBytes: UInt64 = 32 << 30
  /// How far a compressed stream may expand…
  package var expansion: UInt64 = 200
  /// …once it has given this much.
  package var expansionFreeBytes: UInt64 = 64 << 20
  /// Entries of all layers of an image together.
  package var entries: UInt64 = 2_000_000
  package var pathBytes = 4095
  package var componentBytes = 255
  package var depth = 512
  /// The records of one pax header.
  package var paxBytes = 1 << 20
  /// One GNU long name.
  package var longNameBytes = 64 << 10
  package var sparseRegions = 10_000
  /// Names and values of one entry's extended attributes, and their number.
  package var attributeBytes = 64 << 10
  package var attributes = 1024
  /// Names of directories that are kept until the end, to set their modes and times then.
  package var directoryNameBytes = 64 << 20
  /// Names of what a layer leaves to those below it.
  package var gapBytes = 32 << 20
  /// Members of the archive around the layers.
  package var archiveMembers = 20_000
  /// A base-2 logarithm: zstd frames that need a larger window are refused.
  package var zstdWindowLog = 27
  /// What decompressing xz may take: its strongest preset takes 65 MiB.
  package var xzMemory: UInt64 = 160 << 20
  /// Free space that unpacking leaves alone: one part in twenty of the file system, but not more than this.
  package var reservedBytes: UInt64 = 1 << 30

  package init() {}
}
