import StrictJSON

/// What an image of the store that came as an ACI is called.
package struct AppcIdentity: Sendable, Equatable, CustomStringConvertible {
  package let imageID: AppcImageID
  package let name: String
  /// `version`, `os`, `arch` and others, as the manifest has them.
  package let labels: [ImageConfig.Label]

  init(imageID: AppcImageID, name: String, labels: [ImageConfig.Label]) {
    self.imageID = imageID
    self.name = name
    self.labels = labels
  }

  func label(_ name: String) -> String? { labels.first { $0.name.utf8.elementsEqual(name.utf8) }?.value }

  /// `example.com/app:1.0.0`.
  package var description: String {
    AppcIdentity.text(name, labels.filter { $0.name.utf8.elementsEqual("version".utf8) })
  }

  /// A name and labels, as AppC's tools write them.
  static func text(_ name: String, _ labels: [ImageConfig.Label]) -> String {
    var text = name
    for label in labels where label.name.utf8.elementsEqual("version".utf8) { text += ":" + label.value }
    for label in labels where !label.name.utf8.elementsEqual("version".utf8) { text += ",\(label.name)=\(label.value)" }
    return text
  }

  /// Whether two values of a label mean the same: systems and architectures have several names.
  static func isSame(_ label: String, _ one: String, _ other: String) -> Bool {
    if label.utf8.elementsEqual("arch".utf8) {
      return Platform(os: "", architecture: one).normalized == Platform(os: "", architecture: other).normalized
    }
    return one.utf8.elementsEqual(other.utf8)
  }

  /// As records and `image inspect` have it.
  package var json: JSON {
    JSON(object: [
      ("image_id", JSON(imageID.description)), ("name", JSON(name)),
      ("labels", JSON(labels.map { JSON(object: [("name", JSON($0.name)), ("value", JSON($0.value))]) })),
    ])
  }

  /// `nil` when it is damaged.
  init?(_ json: JSON) {
    guard let id = json["image_id"]?.string.flatMap({ AppcImageID($0) }), let name = json["name"]?.string,
      let labels = json["labels"]?.array
    else { return nil }
    self.init(
      imageID: id, name: name,
      labels: labels.compactMap { item in
        guard let name = item["name"]?.string, let value = item["value"]?.string else { return nil }
        return ImageConfig.Label(name: name, value: value)
      })
    guard self.labels.count == labels.count else { return nil }
  }
}
