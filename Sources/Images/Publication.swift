import Glibc
import LinuxKernel

/// Making an unpacked image visible.
extension ImageImport {
  /// Renames layers and record into place and points the names at them. `nil` when a layer that was there before is gone.
  ///
  /// Everything unpacked is on the disk before the first rename, and the renames are before the names that lead to them:
  /// after a power cut an image is there whole or not at all.
  func publish(_ record: ImageRecord, document: [UInt8], layers staged: [Staged]) throws(ImageError) -> StoredImage? {
    let paths = store.paths
    for layer in staged {
      let path = layer.directory + "/" + StorePaths.layerRecordName
      try kernel("write \(path)") { () throws(Errno) in
        try writeFileAtomically(path, Array(LayerRecord(layer.report).json.pretty.utf8), mode: 0o600)
        guard !layer.report.gaps.isEmpty else { return }
        var wire = WireWriter()
        layer.report.gaps.write(to: &wire)
        try writeFileAtomically(layer.directory + "/" + StorePaths.layerGapsName, wire.bytes, mode: 0o600)
      }
    }
    let fresh = try prepareRecord(record, document: document)
    if !staged.isEmpty {
      try kernel("write the layers to the disk") { () throws(Errno) in
        let root = try openFile(paths.root, O_RDONLY | O_DIRECTORY)
        try synchronizeFileSystem(of: root.rawValue)
      }
    }

    let lock = try store.lockStore()
    defer { withExtendedLifetime(lock) {} }
    for layer in staged { try install(layer.directory, as: paths.layer(layer.report.diffID)) }
    for id in record.diffIDs + record.stack where try store.layerRecord(id) == nil { return nil }
    if store.exists(paths.image(record.id)) {
      // The same image again; it may have come without its manifest the first time.
      if var old = try store.record(record.id), old.manifestDigest == nil, record.manifestDigest != nil {
        old.manifestDigest = record.manifestDigest
        try write(old, to: paths.record(record.id))
      }
    } else {
      try install(fresh, as: paths.image(record.id))
    }
    try kernel("write the store's directories to the disk") { () throws(Errno) in
      try openFile(paths.layers, O_RDONLY | O_DIRECTORY).synchronize()
      try openFile(paths.images, O_RDONLY | O_DIRECTORY).synchronize()
    }
    var table = try ReferenceTable(paths.references)
    for reference in references { table.set(reference, to: record.id) }
    try table.write(paths.references)
    guard let kept = try store.record(record.id) else { return nil }
    return try store.stored(kept, table)
  }

  /// The image's directory, complete, in the staging directory.
  private func prepareRecord(_ record: ImageRecord, document: [UInt8]) throws(ImageError) -> String {
    let directory = try staging.directory("image-\(String(Clock.wall % 1_000_000_000_000, radix: 36))")
    try write(record, to: directory + "/" + StorePaths.recordName)
    let config = directory + "/" + StorePaths.configName
    try kernel("write \(config)") { () throws(Errno) in
      try writeFileAtomically(config, document, mode: 0o600, durable: true)
      try writeFileAtomically(directory + "/" + StorePaths.lastUseName, [], mode: 0o600)
    }
    return directory
  }

  private func write(_ record: ImageRecord, to path: String) throws(ImageError) {
    try kernel("write \(path)") { () throws(Errno) in
      try writeFileAtomically(path, Array(record.json.pretty.utf8), mode: 0o600, durable: true)
    }
  }

  /// Renames a directory into place; one that is there already has the same content and stays.
  private func install(_ directory: String, as path: String) throws(ImageError) {
    do throws(Errno) {
      try rename(directory, to: path)
    } catch  where error.code == EEXIST || error.code == ENOTEMPTY {
    } catch {
      throw ImageError(error, doing: "rename \(directory) to \(path)")
    }
  }
}

extension ImageStore {
  /// The lock that whoever makes images or layers appear or go holds for that moment.
  func lockStore() throws(ImageError) -> SharedDescriptor {
    try kernel("lock \(paths.lock)") { () throws(Errno) in
      let file = try openFile(paths.lock, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
      _ = try FileLock.take(.exclusive, on: file.rawValue, wait: true)
      return SharedDescriptor(file)
    }
  }
}
