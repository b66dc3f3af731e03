/// Every path of the image store. Nothing else composes them.
///
/// ```
/// images/                        0700 root
///   lock                         flock: held for the moment in which images and layers appear or go
///   importing/<two digits>       flock: held while an image whose id starts with these digits is imported
///   references.json              names → image ids; replaced whole
///   images/<image id>/           flock, shared: by every container that uses the image
///     entry.json                 what look-ups need: digests, layers, what AppC calls it; small
///     image.json                 the record: the same and the configuration
///     config.json                the configuration document, whose digest the image id is
///     used                       empty; its modification time is the image's last use
///     pinned                     empty; where it is, garbage collection leaves the image alone
///   layers/<diff id>/            one unpacked layer; appears by a rename, and never changes
///     fs/                        its tree, as overlayfs stacks it
///     layer.json                 sizes and counts
///     gaps                       what it leaves to the layers below it; there when it does
///     displaced/<number>/        what it put into directories that it then replaced, for where those are links below
///     digests                    of each name in the tree, as it was unpacked
///   pulls/<key>/                 flock: held by the pull that fetches into it; what one that died had fetched is there for
///                                the next pull of that name, and is swept after a day or when it is too much
///   staging/<name>/              flock: held by the import that works in it; swept when nobody does
/// ```
///
/// Ids are 64 hexadecimal digits of SHA-256. Everything a container mounts stays short: `layers/<diff id>/fs` has to fit
/// a value of fsconfig(2), 255 bytes, together with the work directory.
struct StorePaths: Sendable {
  let root: String

  var lock: String { root + "/lock" }
  var importing: String { root + "/importing" }
  var references: String { root + "/references.json" }
  var images: String { root + "/images" }
  var layers: String { root + "/layers" }
  var staging: String { root + "/staging" }
  var pulls: String { root + "/pulls" }

  func importLock(_ digest: Digest) -> String {
    importing + "/" + String(decoding: digest.hex.utf8.prefix(2), as: UTF8.self)
  }
  func image(_ id: Digest) -> String { images + "/" + id.hex }
  func record(_ id: Digest) -> String { image(id) + "/" + StorePaths.recordName }
  func entry(_ id: Digest) -> String { image(id) + "/" + StorePaths.entryName }
  func config(_ id: Digest) -> String { image(id) + "/" + StorePaths.configName }
  func lastUse(_ id: Digest) -> String { image(id) + "/" + StorePaths.lastUseName }
  func pin(_ id: Digest) -> String { image(id) + "/pinned" }
  func layer(_ diffID: Digest) -> String { layers + "/" + diffID.hex }
  func tree(_ diffID: Digest) -> String { layer(diffID) + "/" + StorePaths.treeName }
  func digests(_ diffID: Digest) -> String { layer(diffID) + "/" + StorePaths.digestsName }
  func layerRecord(_ diffID: Digest) -> String { layer(diffID) + "/" + StorePaths.layerRecordName }

  func layerGaps(_ diffID: Digest) -> String { layer(diffID) + "/" + StorePaths.layerGapsName }

  static let recordName = "image.json"
  static let entryName = "entry.json"
  static let configName = "config.json"
  static let lastUseName = "used"
  static let treeName = "fs"
  static let digestsName = "digests"
  static let layerRecordName = "layer.json"
  static let layerGapsName = "gaps"
  static let displacedName = "displaced"
  /// The longest store root with which layers can be mounted.
  static let maximumRootLength = 255 - "/layers//fs".utf8.count - 64
}
