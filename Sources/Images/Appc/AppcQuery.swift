import LinuxKernel

/// Which AppC image is meant: by a task, a dependency, or on a command line.
package struct AppcQuery: Sendable, Equatable, CustomStringConvertible {
  package let name: String
  /// Those that the image must have, with these values; it may have others.
  package var labels: [ImageConfig.Label]
  /// Decides where it is given.
  package var imageID: AppcImageID?

  /// Throws `.invalid` for a name that is no AC identifier, and for labels that cannot be.
  package init(name: String, labels: [ImageConfig.Label] = [], imageID: AppcImageID? = nil) throws(ImageError) {
    guard AppcGrammar.isIdentifier(name) else { throw AppcGrammar.notAnIdentifier(name).at("AppC image name") }
    self.name = name
    self.labels = try AppcGrammar.checked(labels)
    self.imageID = imageID
  }

  /// Reads `NAME[:VERSION][,LABEL=VALUE]…`, as AppC's tools write it, or a full image id in place of the version.
  package init(_ text: String) throws(ImageError) {
    let parts = text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    var name = parts.first.map { String(Substring($0)) } ?? ""
    var labels: [ImageConfig.Label] = []
    var imageID: AppcImageID?
    if let colon = name.utf8.firstIndex(of: UInt8(ascii: ":")) {
      let version = String(Substring(name.utf8[name.utf8.index(after: colon)...]))
      guard !version.isEmpty else { throw .invalid("a version without characters").at("AppC image name") }
      if let id = AppcImageID(version) {
        imageID = id
      } else {
        labels.append(ImageConfig.Label(name: "version", value: version))
      }
      name = String(Substring(name.utf8[..<colon]))
    }
    for part in parts.dropFirst() {
      let pair = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2 else { throw .invalid("a label is written LABEL=VALUE").at("AppC image name") }
      labels.append(ImageConfig.Label(name: String(Substring(pair[0])), value: String(Substring(pair[1]))))
    }
    try self.init(name: name, labels: labels, imageID: imageID)
  }

  func label(_ name: String) -> String? { labels.first { $0.name.utf8.elementsEqual(name.utf8) }?.value }

  package var description: String {
    AppcIdentity.text(name, labels) + (imageID.map { " (\($0.short))" } ?? "")
  }

  /// Whether an image of this name, these labels and this id is meant.
  package func means(_ image: AppcIdentity) -> Bool { reasonAgainst(image) == nil }

  /// What of an image is another than what is asked for; `nil` for one that is meant.
  func reasonAgainst(_ image: AppcIdentity) -> String? {
    if let imageID, image.imageID != imageID {
      return "its image id is \(image.imageID), and \(imageID) is asked for"
    }
    guard name.utf8.elementsEqual(image.name.utf8) else {
      return "it is called \(printable(image.name.utf8)), and \(name) is asked for"
    }
    // Which image it is, the id says alone.
    if imageID != nil { return nil }
    for label in labels {
      let own = image.label(label.name)
      guard let own, AppcIdentity.isSame(label.name, label.value, own) else {
        let has = own.map { "\"\(printable($0.utf8))\"" } ?? "not there"
        return "its label \(label.name) is \(has), and \"\(printable(label.value.utf8))\" is asked for"
      }
    }
    return nil
  }
}
