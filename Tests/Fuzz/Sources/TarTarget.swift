import LinuxKernel

@testable import Images

/// Layers of an image: read to their end or refused, never more data than there are bytes.
func fuzzTar(_ bytes: [UInt8]) {
  guard let file = try? sealedMemory("tar", bytes) else { return promise(false, "no memory for the archive") }
  guard
    let stream = try? ByteStream(
      file.rawValue, ByteRange(offset: 0, size: UInt64(bytes.count)), hashing: false, limit: .max,
      bufferBytes: 4 << 10)
  else { return promise(false, "no stream") }
  var tar = TarReader(stream, budgets: Budgets())
  var total = 0
  do throws(ImageError) {
    while let entry = try tar.next() {
      var stored = 0
      while true {
        let piece = try tar.data()
        if piece.isEmpty { break }
        stored += piece.count
      }
      total += stored
      promise(total <= bytes.count, "more data than bytes")
      check(entry, stored: UInt64(stored))
    }
  } catch {}
}

private func check(_ entry: TarEntry, stored: UInt64) {
  guard entry.kind == .file else { return promise(stored == 0, "data of a \(entry.kind)") }
  guard let sparse = entry.sparse else { return promise(stored == entry.size, "\(stored) bytes of \(entry.size)") }
  var end: UInt64 = 0
  for region in sparse {
    promise(region.offset >= end, "regions that overlap")
    end = region.offset + region.length
  }
  promise(end <= entry.size, "a region beyond the end")
  promise(sparse.reduce(0) { $0 + $1.length } == stored, "other data than its map says")
}
