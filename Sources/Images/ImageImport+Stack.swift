import Glibc
import LinuxKernel

/// Completing an image's layers with what each leaves to those below it.
extension ImageImport {
  /// An assembly with the layers that complete it, and what is to be stacked.
  struct Stacked {
    var staged: [Staged]
    let stack: [Digest]
  }

  /// Makes what the image needs besides its own layers; `nil` when a layer that was there before is gone.
  func complete(_ made: Assembly) throws(ImageError) -> Stacked? {
    let all = made.config.diffIDs
    var layers: [LayerStack.Layer] = []
    for (index, id) in all.enumerated() {
      let staged = made.staged.first { $0.report.diffID == id }
      let isOpaque: Bool
      if let staged {
        isOpaque = staged.report.opaqueRoot
      } else {
        guard let record = try store.layerRecord(id) else { return nil }
        isOpaque = record.opaqueRoot
      }
      // As `ImageStore.stored` has it.
      if isOpaque { layers = [] }
      layers.removeAll { $0.id == id }
      let gaps = if let staged { staged.report.gaps } else { try store.gaps(of: id) }
      layers.append(
        LayerStack.Layer(
          id: id, tree: staged.map { $0.directory + "/" + StorePaths.treeName } ?? store.paths.tree(id),
          gaps: gaps, place: "layer \(index + 1) of \(all.count)"))
    }
    let staging = staging
    var rooms = 0
    var stack = LayerStack(StackEffort(interruption: interruption)) { () throws(ImageError) in
      rooms += 1
      return try staging.directory("supplement-\(rooms)-\(String(Clock.wall % 1_000_000_000_000, radix: 36))")
    }
    do throws(ImageError) { try stack.run(layers) } catch {
      for id in all where !made.staged.contains(where: { $0.report.diffID == id }) {
        if try store.layerRecord(id) == nil { return nil }
      }
      throw error
    }
    let supplements = stack.supplements.map { supplement in
      var report = LayerReport(diffID: supplement.id, streamBytes: 0)
      report.isSupplement = true
      report.entries = supplement.entries
      report.gaps = supplement.gaps
      return Staged(directory: supplement.directory, report: report, positions: [])
    }
    return Stacked(staged: made.staged + supplements, stack: stack.ids)
  }
}

extension ImageStore {
  /// What a layer of the store leaves to those below it: nothing, where an executor unpacked it that did not know.
  func gaps(of id: Digest) throws(ImageError) -> LayerGaps {
    let path = paths.layerGaps(id)
    let bytes: [UInt8]
    do throws(Errno) { bytes = try readFile(path, limit: 4 * Budgets().gapBytes) } catch  where error.code == ENOENT {
      return LayerGaps()
    } catch {
      throw ImageError(error, doing: "read \(path)")
    }
    var wire = WireReader(bytes)
    do throws(ImageError) {
      let gaps = try LayerGaps(from: &wire)
      try wire.finish()
      return gaps
    } catch {
      throw .invalid("\(path) is damaged", hint: "remove the image and import it again")
    }
  }
}
