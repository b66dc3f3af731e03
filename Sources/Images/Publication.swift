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
      _ = try ImageStore.record(
        layer.directory + "/" + StorePaths.treeName, as: layer.directory + "/" + StorePaths.digestsName,
        interruption)
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

    let lock = try store.lockStore(interruption)
    defer { withExtendedLifetime(lock) {} }
    for layer in staged { try install(layer.directory, as: paths.layer(layer.report.diffID)) }
    for id in record.entry.diffIDs + record.entry.stack where try store.layerRecord(id) == nil { return nil }
    if store.exists(paths.image(record.entry.id)) {
      try complete(paths.image(record.entry.id), with: record, from: fresh)
    } else {
      try install(fresh, as: paths.image(record.entry.id))
    }
    try kernel("write the store's directories to the disk") { () throws(Errno) in
      try openFile(paths.layers, O_RDONLY | O_DIRECTORY).synchronize()
      try openFile(paths.images, O_RDONLY | O_DIRECTORY).synchronize()
    }
    var table = try ReferenceTable(paths.references)
    for reference in references { table.set(reference, to: record.entry.id, by: namedBy) }
    try table.write(paths.references)
    return try store.load(record.entry.id, table)
  }

  /// Brings the same image again, which may have come without its manifest the first time, or be damaged.
  private func complete(_ directory: String, with record: ImageRecord, from fresh: String) throws(ImageError) {
    let id = record.entry.id
    if (try? store.record(id)) == nil {
      for name in [StorePaths.configName, StorePaths.recordName, StorePaths.entryName] {
        try kernel("replace \(directory)/\(name)") { () throws(Errno) in
          try rename(fresh + "/" + name, to: directory + "/" + name)
        }
      }
    } else if var old = try store.entry(id), old.manifestDigest == nil, let digest = record.entry.manifestDigest {
      old.manifestDigest = digest
      try write(try old.document(), to: store.paths.entry(id))
    }
  }

  /// The image's directory, complete, in the staging directory.
  private func prepareRecord(_ record: ImageRecord, document: [UInt8]) throws(ImageError) -> String {
    let directory = try staging.directory("image-\(String(Clock.wall % 1_000_000_000_000, radix: 36))")
    try write(try record.entry.document(), to: directory + "/" + StorePaths.entryName)
    try write(record.json.compactBytes, to: directory + "/" + StorePaths.recordName)
    let config = directory + "/" + StorePaths.configName
    try kernel("write \(config)") { () throws(Errno) in
      try writeFileAtomically(config, document, mode: 0o600, durable: true)
      try writeFileAtomically(directory + "/" + StorePaths.lastUseName, [], mode: 0o600)
    }
    return directory
  }

  private func write(_ bytes: [UInt8], to path: String) throws(ImageError) {
    try kernel("write \(path)") { () throws(Errno) in
      try writeFileAtomically(path, bytes, mode: 0o600, durable: true)
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
  ///
  /// Who holds it should let go soon, but the disk may be slow or the holder stopped: when `interruption` becomes readable,
  /// the wait ends with `.host(EINTR)`.
  func lockStore(_ interruption: Int32? = nil) throws(ImageError) -> SharedDescriptor {
    let file = try kernel("open \(paths.lock)") { () throws(Errno) in
      SharedDescriptor(try openFile(paths.lock, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600))
    }
    // Nothing tells when a lock is free.
    while try kernel(
      "lock \(paths.lock)", { () throws(Errno) in try !FileLock.take(.exclusive, on: file.rawValue, wait: false) })
    {
      try WorkerWait.wait([], interruption, milliseconds: 10)
    }
    return file
  }
}
