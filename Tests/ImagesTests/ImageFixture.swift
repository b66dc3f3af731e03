import LinuxKernel
import StrictJSON

@testable import Images

/// Makes archives and layouts of every form from the same parts.
struct ImageFixture {
  var layers: [[UInt8]]
  var architecture = Platform.host.architecture
  var environment = ["PATH=/bin", "A=b=c"]
  /// In place of the digests of `layers`.
  var diffIDs: [Digest]?

  init(_ layers: [UInt8]...) { self.layers = layers }

  var document: [UInt8] {
    var config = ImageConfig()
    config.architecture = architecture
    config.os = "linux"
    config.environment = environment
    config.entrypoint = ["/entry"]
    config.command = ["one", "two"]
    config.workingDirectory = "/work"
    config.user = "1000:1000"
    config.labels = [ImageConfig.Label(name: "x.y", value: "z")]
    config.exposedPorts = ["80/tcp"]
    config.volumes = ["/data"]
    config.stopSignal = "SIGINT"
    config.created = "2026-01-02T03:04:05Z"
    config.diffIDs = diffIDs ?? layers.map { digest($0) }
    return config.document.compactBytes
  }

  func digest(_ bytes: [UInt8]) -> Digest {
    SHA256.digest(of: bytes)
  }

  private func descriptor(_ type: String, _ bytes: [UInt8], _ more: [(String, JSON?)] = []) -> JSON {
    JSON(
      object: [("mediaType", JSON(type)), ("digest", JSON(digest(bytes).description)), ("size", JSON(bytes.count))]
        + more)
  }

  var manifest: [UInt8] {
    JSON(object: [
      ("schemaVersion", 2), ("mediaType", "application/vnd.oci.image.manifest.v1+json"),
      ("config", descriptor("application/vnd.oci.image.config.v1+json", document)),
      ("layers", JSON(layers.map { descriptor("application/vnd.oci.image.layer.v1.tar", $0) })),
    ]).compactBytes
  }

  func manifestDescriptor(name: String?, platform: JSON? = nil) -> JSON {
    let annotations = name.map { JSON(object: [("io.containerd.image.name", JSON($0))]) }
    return descriptor(
      "application/vnd.oci.image.manifest.v1+json", manifest, [("annotations", annotations), ("platform", platform)])
  }

  /// The files of an OCI layout, by name; `extra` are blobs besides those of the image.
  func layoutFiles(index: [JSON], extra: [[UInt8]] = []) -> [(String, [UInt8])] {
    let index = JSON(object: [("schemaVersion", 2), ("manifests", JSON(index))])
    var files = [
      ("oci-layout", Array(#"{"imageLayoutVersion": "1.0.0"}"#.utf8)), ("index.json", index.compactBytes),
    ]
    for blob in layers + [document, manifest] + extra { files.append(("blobs/sha256/\(digest(blob).hex)", blob)) }
    return files
  }

  /// An archive of `docker save` from 1.10 to 24: every layer in a directory of its own.
  func dockerFiles(tags: [String]) -> [(String, [UInt8])] {
    let name = "\(digest(document).hex).json"
    let item = JSON(object: [
      ("Config", JSON(name)), ("RepoTags", JSON(tags.map { JSON($0) })),
      ("Layers", JSON(layers.indices.map { JSON("layer\($0)/layer.tar") })),
    ])
    return layers.enumerated().map { ("layer\($0.offset)/layer.tar", $0.element) } + [
      (name, document), ("manifest.json", JSON([item]).compactBytes),
    ]
  }

  /// An archive of before 1.10: `repositories`, and a `json` for each layer.
  func legacyFiles(repository: String, tag: String) -> [(String, [UInt8])] {
    func id(_ index: Int) -> String { digest([UInt8(index)]).hex }
    var files: [(String, [UInt8])] = []
    for (index, layer) in layers.enumerated() {
      let json = JSON(object: [
        ("id", JSON(id(index))), ("parent", index > 0 ? JSON(id(index - 1)) : nil), ("os", "linux"),
        ("architecture", JSON(architecture)),
        (
          "config",
          JSON(object: [
            ("Env", JSON(environment.map { JSON($0) })), ("Cmd", JSON(["layer \(index)"].map { JSON($0) })),
          ])
        ),
      ])
      files += [
        ("\(id(index))/VERSION", Array("1.0".utf8)), ("\(id(index))/json", json.compactBytes),
        ("\(id(index))/layer.tar", layer),
      ]
    }
    let repositories = JSON(object: [(repository, JSON(object: [(tag, JSON(id(layers.count - 1)))]))])
    return files + [("repositories", repositories.compactBytes)]
  }

  static func tar(_ files: [(String, [UInt8])]) -> [UInt8] {
    var tar = TarBuilder()
    for (name, bytes) in files { tar.add(TarBuilder.Header(name), data: bytes) }
    return tar.finished
  }

  static func write(_ files: [(String, [UInt8])], to directory: String) throws {
    try makeDirectories(directory + "/blobs/sha256")
    for (name, bytes) in files { try writeFileAtomically(directory + "/" + name, bytes) }
  }
}
