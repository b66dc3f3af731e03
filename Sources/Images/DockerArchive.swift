import LinuxKernel
import StrictJSON

/// Reads what `docker save` writes: `manifest.json` (since 1.10), or `repositories` and a directory for each layer.
struct DockerArchive {
  let files: ArchiveFiles
  let platform: Platform
  let budgets: Budgets

  /// Tags by the name of the configuration file, from `manifest.json`; empty when there is none. An archive that is an
  /// OCI layout as well may have its names only here.
  func namesByConfiguration() throws(ImageError) -> [(config: String, names: [String])] {
    guard let list = try manifest() else { return [] }
    return list.compactMap { item in
      guard let config = item["Config"]?.string else { return nil }
      return (config, DockerArchive.texts(item["RepoTags"]))
    }
  }

  /// The items of `manifest.json`, `nil` when there is no such file.
  func manifest() throws(ImageError) -> [JSON]? {
    guard let json = try files.json("manifest.json") else { return nil }
    guard let list = json.array else { throw .invalid("manifest.json is \(json.kind), not a list") }
    guard list.count <= 512 else { throw .invalid("manifest.json lists \(list.count) images") }
    return list
  }

  private static func texts(_ json: JSON?) -> [String] { (json?.array ?? []).compactMap(\.string) }

  /// The images that `manifest.json` lists, as far as they can be taken.
  func contents(_ list: [JSON]) throws(ImageError) -> ArchiveContents {
    var contents = ArchiveContents(images: [])
    for item in list {
      do throws(ImageError) { contents.images.append(try image(item)) } catch {
        guard PassedOver.isReason(error) else { throw error }
        contents.passedOver.append(
          PassedOver(
            names: DockerArchive.texts(item["RepoTags"]), tag: nil, label: item["Config"]?.string ?? "an image",
            error.at("manifest.json")))
      }
    }
    guard !contents.images.isEmpty else { throw PassedOver.nothingLeft(contents.passedOver) }
    return contents
  }

  private func image(_ item: JSON) throws(ImageError) -> ArchiveImage {
    if item["manifests"] != nil || item["layers"] != nil { throw .invalid("an item that is something else as well") }
    guard let configName = item["Config"]?.string, let layerItems = item["Layers"]?.array else {
      throw .invalid("an item without Config or Layers")
    }
    guard let document = try files.document(configName, digest: DockerArchive.configDigest(configName)) else {
      throw .invalid("the configuration \(printable(configName.utf8)) is missing")
    }
    let config = try ImageConfig(document: try ArchiveFiles.parse(document, configName))
    guard layerItems.count <= budgets.layers else {
      throw .invalid("\(layerItems.count) layers, more than \(budgets.layers)")
    }
    guard config.diffIDs.count == layerItems.count else {
      throw .invalid("\(layerItems.count) layers, but the configuration lists \(config.diffIDs.count) diff ids")
    }
    try ImageManifest.checkPlatform(config, platform: platform)
    var layers: [ArchiveLayer] = []
    for (layer, diffID) in zip(layerItems, config.diffIDs) {
      guard let name = layer.string, let location = try files.find(name) else {
        throw .invalid("the layer \(printable((layer.string ?? "?").utf8)) is missing")
      }
      layers.append(ArchiveLayer(location: location, blobDigest: ArchiveFiles.blobDigest(name), diffID: diffID))
    }
    return ArchiveImage(
      names: DockerArchive.texts(item["RepoTags"]), tag: nil, manifestDigest: nil, document: document, config: config,
      layers: layers)
  }

  /// `<hex>.json`, as Docker 1.10 to 24 names it, or a blob's name; other tools use other names, which promise nothing.
  private static func configDigest(_ name: String) -> Digest? {
    if let digest = ArchiveFiles.blobDigest(name) { return digest }
    let bytes = Array(name.utf8)
    guard bytes.count == 69, bytes.suffix(5).elementsEqual(".json".utf8) else { return nil }
    return Digest(hex: bytes.prefix(64))
  }

  /// The images of an archive of before Docker 1.10: `repositories` leads to the top layer of each, and every layer's
  /// `json` to the one below. Which digests the layers have shows when they are unpacked.
  func legacyContents(_ repositories: JSON) throws(ImageError) -> ArchiveContents {
    guard let members = repositories.members else { throw .invalid("repositories is \(repositories.kind)") }
    var tops: [(id: [UInt8], names: [String])] = []
    for repository in members {
      guard let tags = repository.value.members else { throw .invalid("repositories holds \(repository.value.kind)") }
      for tag in tags {
        guard let id = tag.value.string, Digest(hex: id.utf8) != nil else {
          throw .invalid("repositories leads to something that is no layer id")
        }
        let name = "\(repository.key):\(tag.key)"
        if let position = tops.firstIndex(where: { $0.id.elementsEqual(id.utf8) }) {
          tops[position].names.append(name)
        } else {
          tops.append((Array(id.utf8), [name]))
        }
      }
    }
    guard !tops.isEmpty, tops.count <= 512 else { throw .invalid("repositories names \(tops.count) images") }
    var contents = ArchiveContents(images: [])
    for top in tops {
      let id = String(decoding: top.id, as: UTF8.self)
      do throws(ImageError) { contents.images.append(try legacyImage(id, names: top.names)) } catch {
        guard PassedOver.isReason(error) else { throw error }
        contents.passedOver.append(PassedOver(names: top.names, tag: nil, label: id, error))
      }
    }
    guard !contents.images.isEmpty else { throw PassedOver.nothingLeft(contents.passedOver) }
    return contents
  }

  private func legacyImage(_ top: String, names: [String]) throws(ImageError) -> ArchiveImage {
    var config: ImageConfig?
    var layers: [ArchiveLayer] = []
    var next: String? = top
    while let id = next {
      guard Digest(hex: id.utf8) != nil else { throw .invalid("a parent that is no layer id") }
      guard layers.count < budgets.layers else { throw .invalid("more than \(budgets.layers) layers, or a cycle") }
      guard let json = try files.json("\(id)/json"), json.members != nil,
        let location = try files.find("\(id)/layer.tar")
      else { throw .invalid("the layer \(id) is missing") }
      if config == nil {
        var own = try ImageConfig(document: json)
        own.diffIDs = []
        config = own
      }
      layers.append(ArchiveLayer(location: location, blobDigest: nil, diffID: nil))
      let parent = json["parent"]?.string ?? ""
      next = parent.isEmpty ? nil : parent
    }
    guard let config else { throw .invalid("an image without a configuration") }
    try ImageManifest.checkPlatform(config, platform: platform)
    return ArchiveImage(
      names: names, tag: nil, manifestDigest: nil, document: nil, config: config, layers: layers.reversed())
  }
}
