import Glibc
import LinuxKernel

/// What the store takes, and whose it is. Bytes of images and layers are those of file content, as they were counted when they
/// were unpacked; of what imports and pulls have left, those on the disk.
package struct StoreUsage: Sendable {
  package struct Image: Sendable {
    package let summary: ImageSummary
    /// In layers that no other image has.
    package let uniqueBytes: UInt64
    /// In layers that others have as well.
    package let sharedBytes: UInt64
    package let isInUse: Bool
  }

  package struct Layer: Sendable {
    package let diffID: Digest
    package let bytes: UInt64
    /// How many images have it.
    package let images: Int
  }

  package struct Leftover: Sendable {
    package let leftover: StoreLeftover
    package let bytes: UInt64
    package let isLive: Bool
  }

  package var images: [Image] = []
  package var damaged: [DamagedImage] = []
  package var layers: [Layer] = []
  package var leftovers: [Leftover] = []
  /// What is free on the store's file system, for everybody, and its size.
  package var freeBytes: UInt64 = 0
  package var totalBytes: UInt64 = 0
  /// What garbage collection could free at most: all that no image in use and no pinned one needs.
  package var reclaimableBytes: UInt64 = 0

  /// All layers, each once.
  package var layerBytes: UInt64 { layers.reduce(0) { $0 &+ $1.bytes } }
}

extension ImageStore {
  /// What the store takes now.
  package func usage() throws(ImageError) -> StoreUsage {
    do throws(ImageError) {
      var usage = StoreUsage()
      guard exists(paths.root) else { return usage }
      let inventory = try inventory()
      usage.damaged = inventory.damaged
      var users: [Digest: Int] = [:]
      for image in inventory.images { for diffID in image.needed { users[diffID, default: 0] += 1 } }
      var bytes: [Digest: UInt64] = [:]
      for diffID in try identifiers(in: paths.layers) {
        bytes[diffID] = (try? layerRecord(diffID))?.contentBytes ?? 0
        usage.layers.append(
          StoreUsage.Layer(diffID: diffID, bytes: bytes[diffID] ?? 0, images: users[diffID] ?? 0))
      }
      usage.layers.sort { ($0.bytes, $0.diffID.hex) > ($1.bytes, $1.diffID.hex) }
      var needed: Set<Digest> = []
      for image in inventory.images {
        let isInUse = try isInUse(image.id)
        if isInUse || image.isPinned { needed.formUnion(image.needed) }
        var (unique, shared): (UInt64, UInt64) = (0, 0)
        for diffID in image.needed {
          if users[diffID] == 1 { unique &+= bytes[diffID] ?? 0 } else { shared &+= bytes[diffID] ?? 0 }
        }
        usage.images.append(
          StoreUsage.Image(summary: image, uniqueBytes: unique, sharedBytes: shared, isInUse: isInUse))
      }
      for leftover in try leftovers() {
        usage.leftovers.append(
          StoreUsage.Leftover(leftover: leftover, bytes: try leftover.diskBytes(), isLive: leftover.isLive))
      }
      // Layers of no image may be those of an image that cannot be read.
      let mayGo = usage.layers.filter { !needed.contains($0.diffID) && ($0.images > 0 || inventory.damaged.isEmpty) }
      usage.reclaimableBytes =
        mayGo.reduce(0) { $0 &+ $1.bytes } &+ usage.leftovers.filter { !$0.isLive }.reduce(0) { $0 &+ $1.bytes }
      let room = try kernel("look for free space") { () throws(Errno) in
        let root = try openFile(paths.root, O_RDONLY | O_DIRECTORY)
        return try space(of: root.rawValue)
      }
      usage.freeBytes = room.available
      usage.totalBytes = room.total
      return usage
    } catch {
      throw error.during("measure the image store")
    }
  }
}
