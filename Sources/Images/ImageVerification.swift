import Glibc
import LinuxKernel

/// What is another in a layer than it was when it was unpacked.
package struct LayerDifference: Sendable, Equatable {
  package enum Kind: String, Sendable {
    case added
    case changed
    case removed
  }

  package let kind: Kind
  /// Below the layer's root, which is the empty path.
  package let path: [UInt8]
}

/// What became of looking at one layer.
package struct LayerCheck: Sendable, Equatable {
  package let diffID: Digest
  /// False for layers that were unpacked before anything was written down: they can be compared with nothing.
  package var isRecorded = true
  package var entries = 0
  package var differences: [LayerDifference] = []

  package var isSound: Bool { isRecorded && differences.isEmpty }
}

/// Comparing what the store has with what was put there.
extension ImageStore {
  /// Compares every name of a layer with what was written down when it was unpacked.
  ///
  /// - Parameter records: whether a layer of which nothing was written down is taken as it is now.
  package func verify(layer diffID: Digest, records: Bool = false) throws(ImageError) -> LayerCheck {
    var check = LayerCheck(diffID: diffID)
    do throws(ImageError) {
      guard let recorded = try TreeDigestsReader(paths.digests(diffID)) else {
        check.isRecorded = records
        if records {
          check.entries = try ImageStore.record(paths.tree(diffID), as: paths.digests(diffID), durable: true)
        }
        return check
      }
      // Both come in one order.
      var next = try recorded.next()
      try TreeWalk.run(paths.tree(diffID)) { (item) throws(ImageError) in
        check.entries += 1
        while let gone = next, TreeDigests.precedes(gone.path, item.path) {
          check.differences.append(LayerDifference(kind: .removed, path: gone.path))
          next = try recorded.next()
        }
        guard let same = next, same.path == item.path else {
          return check.differences.append(LayerDifference(kind: .added, path: item.path))
        }
        if same.digest != item.digest { check.differences.append(LayerDifference(kind: .changed, path: item.path)) }
        next = try recorded.next()
      }
      while let gone = next {
        check.differences.append(LayerDifference(kind: .removed, path: gone.path))
        next = try recorded.next()
      }
      check.differences.sort { $0.path.lexicographicallyPrecedes($1.path) }
      return check
    } catch {
      throw error.at("layer \(diffID.short)").during("verify the image store")
    }
  }

  /// Writes down what a tree is now.
  ///
  /// - Returns: how many names it has.
  static func record(_ tree: String, as path: String, durable: Bool = false, _ interruption: Int32? = nil)
    throws(ImageError) -> Int
  {
    let digests = try TreeDigestsWriter(path)
    try TreeWalk.run(tree, interruption: interruption) { (item) throws(ImageError) in try digests.append(item) }
    try digests.finish(durable: durable)
    return digests.count
  }

  /// What is wrong with the documents of an image: its configuration is what its id says, and the two records say the same.
  package func verify(documents id: Digest) throws(ImageError) -> [String] {
    do throws(ImageError) {
      guard let record = try record(id), let entry = try entry(id) else {
        throw ImageError(.notFound, why: "it was removed in the meantime")
      }
      let path = paths.config(id)
      let bytes = try kernel("read \(path)") { () throws(Errno) in try readFile(path, limit: Budgets().documentBytes) }
      var problems: [String] = []
      let digest = SHA256.digest(of: bytes)
      if digest != id { problems.append("\(path): its digest is \(digest)") }
      if entry.diffIDs != record.entry.diffIDs || entry.stack != record.entry.stack || entry.appc != record.entry.appc {
        problems.append("\(paths.entry(id)) and \(paths.record(id)) are of two images")
      }
      return problems
    } catch {
      throw error.at("image \(id.short)").during("verify the image store")
    }
  }
}
