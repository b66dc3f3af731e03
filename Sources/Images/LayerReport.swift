/// What came of unpacking one layer.
struct LayerReport: Sendable, Equatable {
  /// The digest of the tar stream: the layer's diff id.
  var diffID: Digest
  /// How long the tar stream is.
  var streamBytes: UInt64
  /// Bytes of file content.
  var contentBytes: UInt64 = 0
  var entries: UInt64 = 0
  /// Device nodes, which a layer may name but never gets.
  var skippedDevices: UInt64 = 0
  /// Extended attributes that are not on the list of those we keep.
  var skippedAttributes: UInt64 = 0
  /// Whether nothing of the layers below is to be seen: the root directory itself is opaque, which overlayfs does not
  /// know for the root of a stack.
  var opaqueRoot = false
  /// What it leaves to the layers below it.
  var gaps = LayerGaps()
  /// Whether it was made here to complete other layers, and is nobody's archive.
  var isSupplement = false
  /// Of an ACI, which it names.
  var imageID: AppcImageID?

  func write(to wire: inout WireWriter) {
    wire.put(diffID)
    for number in [streamBytes, contentBytes, entries, skippedDevices, skippedAttributes] { wire.put(number) }
    wire.put(opaqueRoot)
    wire.put(imageID) { $0.put($1.rawBytes) }
    gaps.write(to: &wire)
  }

  init(diffID: Digest, streamBytes: UInt64) {
    self.diffID = diffID
    self.streamBytes = streamBytes
  }

  init(from wire: inout WireReader) throws(ImageError) {
    diffID = try wire.digest()
    streamBytes = try wire.number()
    contentBytes = try wire.number()
    entries = try wire.number()
    skippedDevices = try wire.number()
    skippedAttributes = try wire.number()
    opaqueRoot = try wire.truth()
    imageID = try wire.optional { (wire) throws(ImageError) in try wire.data() }.flatMap { AppcImageID(rawBytes: $0) }
    gaps = try LayerGaps(from: &wire)
  }
}
