import HTTP1
import Images
import LinuxKernel
import StrictJSON

/// A document that a registry has for a name or a digest: an image's manifest, or an index of several.
struct RemoteManifest: Sendable {
  enum Content: Sendable {
    case image(ImageManifest)
    case index([Descriptor])
  }

  let bytes: [UInt8]
  let digest: Digest
  let mediaType: String
  let content: Content

  /// What is asked for. Schema 1 is asked for as well: a registry that has nothing else then says so, in place of "not found".
  static let accepted = MediaType.manifests + MediaType.indexes + schema1
  private static let schema1 = [
    "application/vnd.docker.distribution.manifest.v1+prettyjws", "application/vnd.docker.distribution.manifest.v1+json",
  ]
  private static let maximumManifests = 512

  /// Reads a document.
  /// - Parameters:
  ///   - announced: the media type in the answer's head or in the index that led here.
  ///   - expected: what the digest must be; one that does not fit is no manifest of ours, whatever it says.
  init(_ bytes: [UInt8], announced: String?, expected: Digest?) throws(RegistryError) {
    self.bytes = bytes
    digest = SHA256.digest(of: bytes)
    if let expected, digest != expected {
      throw .invalid(
        "what came has the digest \(digest), and \(expected) was asked for",
        hint: "the registry, or something on the way to it, has changed it")
    }
    let json: JSON
    do throws(JSONError) { json = try JSON(parsing: bytes) } catch {
      throw .invalid("the manifest is not JSON: \(printable(error.description.utf8))")
    }
    let stated = json["mediaType"]?.string
    // Some servers know files and no manifests; then the document says itself what it is.
    let isKnown = announced.map { MediaType.isOne(of: RemoteManifest.accepted, $0) } ?? false
    let type = isKnown ? announced : stated ?? announced
    if json["schemaVersion"]?.integer == 1 || type.map({ MediaType.isOne(of: RemoteManifest.schema1, $0) }) == true {
      throw .invalid(
        "its manifest is of schema 1, which Docker gave up in 2015 and does not pull any more: nothing in it states what "
          + "the layers unpack to",
        hint: "pushing the image again with any Docker since makes one that can be pulled")
    }
    guard let type else { throw .invalid("the document does not say of which kind it is") }
    mediaType = type
    if MediaType.isOne(of: MediaType.indexes, type) {
      content = .index(try RemoteManifest.index(json, type))
    } else if MediaType.isOne(of: MediaType.manifests, type) {
      do throws(ImageError) { content = .image(try ImageManifest(json, mediaType: type, budgets: Budgets())) } catch {
        throw .invalid(error.why, hint: error.hint)
      }
    } else {
      throw .invalid("the document is \"\(printable(type.utf8.prefix(100)))\", which is no image")
    }
  }

  private static func index(_ json: JSON, _ type: String) throws(RegistryError) -> [Descriptor] {
    // One document must not be two things (CVE-2021-41190).
    if json["layers"] != nil || json["config"] != nil {
      throw .invalid("a document that is an index and a manifest at once")
    }
    if let stated = json["mediaType"], !stated.isNull {
      guard let text = stated.string, text.utf8.elementsEqual(type.utf8) else {
        throw .invalid("its mediaType is not the one that was announced")
      }
    }
    guard let list = json["manifests"]?.array else { throw .invalid("an index without a list of manifests") }
    guard list.count <= maximumManifests else {
      throw .invalid("an index of \(list.count) manifests, more than \(maximumManifests)")
    }
    var found: [Descriptor] = []
    for item in list {
      do throws(ImageError) { found.append(try Descriptor(item)) } catch { throw .invalid(error.why) }
    }
    return found
  }

  /// Of an index, what suits a platform best. Signatures and attestations lie beside images and are none.
  static func choose(_ list: [Descriptor], for platform: Platform) throws(RegistryError) -> Descriptor {
    let known = MediaType.manifests + MediaType.indexes
    let images = list.filter { entry in
      guard MediaType.isOne(of: known, entry.mediaType) else { return false }
      if entry.annotation("vnd.docker.reference.type") != nil { return false }
      return entry.platform.map { !$0.os.utf8.elementsEqual("unknown".utf8) } ?? true
    }
    guard !images.isEmpty else { throw .invalid("the index lists no image") }
    let rated = images.map { (entry: $0, score: $0.platform.map { platform.suits($0) } ?? 1) }
    guard let best = rated.map(\.score).max(), best > 0, let chosen = rated.first(where: { $0.score == best }) else {
      var there: [String] = []
      for name in images.compactMap({ $0.platform?.description }) where !there.contains(name) { there.append(name) }
      throw .invalid(
        "there is no image for \(platform); there are: \(printable(there.joined(separator: ", ").utf8.prefix(1000)))",
        hint: "--platform names another")
    }
    return chosen.entry
  }
}
