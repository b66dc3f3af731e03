import Glibc
import LinuxKernel
import StrictJSON

/// The images of a store as their entries tell.
struct ImageEntries: Sendable {
  var intact: [ImageEntry] = []
  /// Those of which nothing can be said; nobody else's look-up fails by them.
  var damaged: [(id: Digest, error: ImageError)] = []
}

/// What of an image cannot be read.
package struct DamagedImage: Sendable {
  package let id: Digest
  package let references: [ImageReference]
  package let error: ImageError
}

/// All that a store has.
package struct ImageInventory: Sendable {
  /// By the name that was given first; those without a name come last.
  package var images: [ImageSummary] = []
  package var damaged: [DamagedImage] = []
  /// Names that are none.
  package var problems: [String] = []
}

/// Reading what the store has written down.
extension ImageStore {
  /// Every image that is whole, by the name that was given first; those without a name come last.
  package func list() throws(ImageError) -> [ImageSummary] { try inventory().images }

  /// Everything that is there, also what cannot be used.
  package func inventory() throws(ImageError) -> ImageInventory {
    do throws(ImageError) {
      let table = try ReferenceTable(paths.references)
      let entries = try entries()
      var inventory = ImageInventory(problems: table.problems)
      func damaged(_ id: Digest, _ error: ImageError) {
        inventory.damaged.append(DamagedImage(id: id, references: table.references(to: id), error: error))
      }
      for (id, error) in entries.damaged { damaged(id, error) }
      for entry in entries.intact {
        do throws(ImageError) {
          if let image = try summary(entry, table) {
            inventory.images.append(image)
          } else {
            damaged(
              entry.id, .invalid("a layer of it is missing", hint: "remove the image and import it again"))
          }
        } catch {
          damaged(entry.id, error)
        }
      }
      func key(_ image: ImageSummary) -> [UInt8] {
        Array((image.references.first?.canonical ?? image.appc?.description ?? "\u{7f}" + image.id.hex).utf8)
      }
      inventory.images = inventory.images.map { (key($0), $0) }.sorted { $0.0.lexicographicallyPrecedes($1.0) }.map(\.1)
      return inventory
    } catch {
      throw error.during("list the images")
    }
  }

  /// A listed image with its configuration; `nil` when it has gone in the meantime.
  package func load(_ image: ImageSummary) throws(ImageError) -> StoredImage? {
    do throws(ImageError) {
      return try record(image.id).map { StoredImage(summary: image, config: $0.config) }
    } catch {
      throw error.during("read the image \(image.id.short)")
    }
  }

  func load(_ id: Digest, _ table: ReferenceTable) throws(ImageError) -> StoredImage? {
    guard let record = try record(id), let summary = try summary(record.entry, table) else { return nil }
    return StoredImage(summary: summary, config: record.config)
  }

  /// The image whose manifest has this digest, `nil` when it is not here or lacks a layer.
  func find(manifest digest: Digest, _ table: ReferenceTable) throws(ImageError) -> StoredImage? {
    for entry in try entries().intact where entry.manifestDigest == digest {
      if let image = try load(entry.id, table) { return image }
    }
    return nil
  }

  func identifiers() throws(ImageError) -> [Digest] { try identifiers(in: paths.images) }

  /// The digests that directories of the store are called by.
  func identifiers(in directory: String) throws(ImageError) -> [Digest] {
    let names = try kernel("list \(directory)") { () throws(Errno) -> [DirectoryEntry] in
      do throws(Errno) { return try LinuxKernel.entries(of: directory) } catch {
        guard error.code == ENOENT else { throw error }
        return []
      }
    }
    return names.compactMap { Digest(hex: $0.name) }
  }

  /// Every entry but those in `known`, which never change in what layers they have.
  func entries(except known: Set<Digest> = []) throws(ImageError) -> ImageEntries {
    var entries = ImageEntries()
    for id in try identifiers() where !known.contains(id) {
      do throws(ImageError) {
        if let entry = try entry(id) {
          entries.intact.append(entry)
        } else if exists(paths.image(id)) {
          throw .invalid("its record is missing", hint: "remove the image and import it again")
        }
      } catch {
        entries.damaged.append((id, error.at("image \(id.short)")))
      }
    }
    return entries
  }

  /// The entry of an image, `nil` when there is none.
  ///
  /// Stores of before there were entries have all of it in the record; what is in it is written down once, and so is an
  /// entry that is damaged.
  func entry(_ id: Digest) throws(ImageError) -> ImageEntry? {
    if let json = try? read(paths.entry(id), limit: ImageEntry.maximumBytes), let entry = try? ImageEntry(json),
      entry.id == id
    {
      return entry
    }
    guard let entry = try record(id)?.entry else { return nil }
    if !isRead {
      // Under another name first, and never over one that an import has written meanwhile: that may know more.
      bestEffort("write \(paths.entry(id))", tolerating: ENOENT, EEXIST) {
        let path = paths.entry(id) + "-" + String(Clock.now, radix: 36)
        try writeFileAtomically(path, try entry.document(), mode: 0o600)
        defer { bestEffort("remove \(path)", tolerating: ENOENT) { try removeFile(path) } }
        try renameNew(path, to: paths.entry(id))
      }
    }
    return entry
  }

  /// The record of an image, `nil` when there is none.
  func record(_ id: Digest) throws(ImageError) -> ImageRecord? {
    guard let json = try read(paths.record(id), limit: ImageRecord.maximumBytes) else { return nil }
    var record = try ImageRecord(json)
    guard record.entry.id == id else { throw .invalid("\(paths.record(id)) is the record of another image") }
    // What was learnt after the import.
    if record.entry.manifestDigest == nil,
      let json = try? read(paths.entry(id), limit: ImageEntry.maximumBytes), let entry = try? ImageEntry(json)
    {
      record.entry.manifestDigest = entry.manifestDigest
    }
    return record
  }

  /// The record of a layer, `nil` when the store does not have the layer.
  func layerRecord(_ diffID: Digest) throws(ImageError) -> LayerRecord? {
    guard let json = try read(paths.layerRecord(diffID), limit: 64 << 10) else { return nil }
    let record = try LayerRecord(json)
    guard record.diffID == diffID else { throw .invalid("\(paths.layerRecord(diffID)) is the record of another layer") }
    return record
  }

  private func read(_ path: String, limit: Int) throws(ImageError) -> JSON? {
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try readFile(path, limit: limit)
    } catch  where error.code == ENOENT || error.code == ENOTDIR {
      return nil
    } catch {
      throw ImageError(error, doing: "read \(path)")
    }
    do throws(JSONError) { return try JSON(parsing: bytes, limits: JSON.Limits(bytes: limit)) } catch {
      throw .invalid("\(path): \(error)", hint: "remove the image and import it again")
    }
  }

  func exists(_ path: String) -> Bool { (try? status(of: path)) != nil }

  /// What is known of an image, `nil` when one of its layers is missing: then it must be imported again.
  func summary(_ entry: ImageEntry, _ table: ReferenceTable) throws(ImageError) -> ImageSummary? {
    var layers: [StoredLayer] = []
    var bytes: UInt64 = 0
    for diffID in entry.stack {
      guard let layer = try layerRecord(diffID) else { return nil }
      if layer.opaqueRoot { layers = [] }
      // overlayfs refuses a layer that occurs twice, and the upper one hides all that the lower one has.
      layers.removeAll { $0.diffID == diffID }
      layers.append(
        StoredLayer(
          diffID: diffID, path: paths.tree(diffID), bytes: layer.contentBytes, isSupplement: layer.isSupplement))
      bytes = bytes.addingReportingOverflow(layer.contentBytes).partialValue
    }
    return ImageSummary(
      references: table.references(to: entry.id), id: entry.id, appc: entry.appc,
      manifestDigest: entry.manifestDigest, diffIDs: entry.diffIDs, layers: layers, bytes: bytes,
      importedAt: entry.importedAt, lastUsedAt: try lastUse(entry.id), isPinned: exists(paths.pin(entry.id)))
  }
}
