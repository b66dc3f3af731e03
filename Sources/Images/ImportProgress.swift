/// How far an import is. Numbers come from workers and are for show only.
package struct ImportProgress: Sendable, Equatable, CustomStringConvertible {
  package enum Phase: String, Sendable {
    /// Standard input is written down.
    case copying
    /// The archive itself is decompressed.
    case decompressing
    /// Its documents are read.
    case inspecting
    /// Another import of the same image is waited for.
    case waiting
    /// Layers are unpacked and verified.
    case unpacking
    /// What was unpacked goes to the disk and becomes visible.
    case storing
  }

  package var phase: Phase
  /// The image that is imported, in its familiar form; empty before that is known.
  package var image = ""
  /// Layers that are done, those among them that the store had already, and all of the image.
  package var layersDone = 0
  package var layersPresent = 0
  package var layers = 0
  /// Bytes of stored layers that were read, of all that have to be.
  package var bytesDone: UInt64 = 0
  package var bytesTotal: UInt64 = 0
  /// The layers that the store lacks, bottom to top, each once.
  package var parts: [LayerProgress] = []

  /// One line for people: `debian:bookworm: unpacking: 1 of 3 layers, 40 of 58 MiB`.
  package var description: String {
    let what =
      switch phase {
      case .copying: "reading standard input"
      case .decompressing: "decompressing the archive"
      case .inspecting: "reading the archive"
      case .waiting: "waiting for another import of it"
      case .unpacking:
        "unpacking: \(layersDone) of \(layers) layers"
          + (layersPresent > 0 ? " (\(layersPresent) already here)" : "")
          + (bytesTotal > 0 ? ", \(bytesDone >> 20) of \(bytesTotal >> 20) MiB" : "")
      case .storing: "storing"
      }
    return image.isEmpty ? what : "\(image): \(what)"
  }
}
