/// Which entries of a layer came when, as far as that can matter: of a name that is reached through a link of a lower layer
/// and by its own as well, the last entry counts, and the two are at different places of the unpacked layer.
///
/// Both end with the same name, and so an entry is noted when its last name was there before. One that was not noted was the
/// first of its name.
struct NameOrder {
  private var seen: Set<Int> = []
  private var entries: UInt64 = 0
  private var bytes = 0
  private(set) var again: [LayerGaps.Again] = []

  /// After every entry that makes something.
  ///
  /// - Parameters:
  ///   - leavesDirectories: whether the layer has directories without an entry by now: none of others is in a link's place.
  ///   - budgets: names beyond `gapBytes` are not noted; a package manager's do not come near.
  mutating func note(_ path: LayerPath, leavesDirectories: Bool, _ budgets: Budgets) {
    entries += 1
    // A hash is enough: an entry too many that is noted says nothing wrong.
    let isNew = path.leafBytes.withUnsafeBytes { bytes in
      var hasher = Hasher()
      hasher.combine(bytes: bytes)
      return seen.insert(hasher.finalize()).inserted
    }
    guard !isNew, leavesDirectories, bytes + path.text.count <= budgets.gapBytes else { return }
    bytes += path.text.count
    again.append(LayerGaps.Again(path: Array(path.text.dropLast()), order: entries))
  }
}
