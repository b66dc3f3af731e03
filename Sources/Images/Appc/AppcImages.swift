import LinuxKernel

/// Finding AppC images in the store: they have names of their own, and not references.
extension ImageStore {
  /// The image that is meant, `nil` when the store has none. Of several the one that suits this host best, and of those
  /// the one that was imported last.
  package func find(_ query: AppcQuery) throws(ImageError) -> StoredImage? {
    do throws(ImageError) {
      let table = try ReferenceTable(paths.references)
      var best: (suits: Int, image: StoredImage)?
      for entry in try entries().intact where entry.appc.map(query.means) ?? false {
        let suits = platform.suits(Platform(os: entry.os, architecture: entry.architecture))
        guard suits > 0 else { continue }
        if let best, (best.suits, best.image.importedAt) >= (suits, entry.importedAt) { continue }
        guard let image = try load(entry.id, table) else { continue }
        best = (suits, image)
      }
      return best?.image
    } catch {
      throw error.during("find the AppC image \(query)")
    }
  }

  /// The images that people mean with `NAME[:VERSION][,LABEL=VALUE]…`, or with an image id or its beginning.
  func findAppc(_ text: String) throws(ImageError) -> [Digest] {
    let digits = Array(text.utf8)
    let isID = digits.starts(with: AppcImageID.prefix.utf8) && digits.count >= AppcImageID.prefix.utf8.count + 4
    let query = try? AppcQuery(text)
    return try entries().intact.compactMap { entry in
      guard let appc = entry.appc else { return nil }
      if isID, appc.imageID.description.utf8.starts(with: digits) { return entry.id }
      return query.map { $0.means(appc) } ?? false ? entry.id : nil
    }
  }
}
