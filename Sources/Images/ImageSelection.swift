import LinuxKernel

/// Which images of an archive are imported, and under which names.
enum ImageSelection {
  /// Without `wanted`, every image under its own names; with it, the one that it names, or the only one there is.
  static func choose(_ images: [ArchiveImage], as wanted: ImageReference?) throws(ImageError)
    -> [(ArchiveImage, [ImageReference])]
  {
    guard let wanted else {
      var chosen: [(ArchiveImage, [ImageReference])] = []
      for image in images {
        let names = try references(of: image)
        guard !names.isEmpty || image.appc != nil else {
          throw .invalid(
            "an image in it has no name" + (image.tag.map { ", only the tag \(printable($0.utf8))" } ?? ""),
            hint: "name it: image import ARCHIVE NAME:TAG")
        }
        chosen.append((image, names))
      }
      return chosen
    }
    let image = try one(of: images, named: wanted)
    if let digest = wanted.digest, image.manifestDigest != digest {
      throw .invalid(
        "the digest of its manifest is \(image.manifestDigest?.description ?? "not known"), but \(digest) is asked for")
    }
    return [(image, [wanted])]
  }

  private static func one(of images: [ArchiveImage], named wanted: ImageReference) throws(ImageError) -> ArchiveImage {
    if images.count == 1 { return images[0] }
    for image in images where try references(of: image).contains(wanted) { return image }
    let byTag = images.filter { image in
      guard let tag = image.tag, let wantedTag = wanted.tag else { return false }
      return tag.utf8.elementsEqual(wantedTag.utf8)
    }
    if byTag.count == 1 { return byTag[0] }
    var names: [String] = []
    for image in images {
      names.append(
        try references(of: image).first?.description ?? image.tag.map { ":" + printable($0.utf8) } ?? "unnamed")
    }
    throw .invalid("it holds \(images.count) images and none is \(wanted): \(names.joined(separator: ", "))")
  }

  private static func references(of image: ArchiveImage) throws(ImageError) -> [ImageReference] {
    var result: [ImageReference] = []
    for name in image.names {
      do throws(ReferenceError) {
        let reference = try ImageReference(name)
        if !result.contains(reference) { result.append(reference) }
      } catch {
        throw .invalid(
          "the archive names an image \"\(printable(name.utf8.prefix(300)))\": \(printable(error.why.utf8))",
          hint: "name it yourself: image import ARCHIVE NAME:TAG")
      }
    }
    return result
  }
}
