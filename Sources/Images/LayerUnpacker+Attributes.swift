import LinuxKernel

extension LayerUnpacker {
  /// Sets the attributes that an image may bring: those of users, but none that overlayfs reads, and file capabilities.
  /// The others are those of the host's own security: they are counted and left out.
  mutating func setAttributes(_ entry: TarEntry, of file: Int32) throws(ImageError) {
    var bytes = 0
    for (name, value) in entry.attributes {
      bytes += name.count + value.count
      guard bytes <= budgets.attributeBytes else {
        throw .invalid("extended attributes of more than \(budgets.attributeBytes) bytes")
      }
      let isUser = name.starts(with: "user.".utf8) && !name.starts(with: "user.overlay.".utf8)
      let isCapability = name.elementsEqual("security.capability".utf8) && entry.kind == .file
      guard isUser || isCapability else {
        skippedAttributes += 1
        continue
      }
      guard name.count <= 255, !name.contains(0) else { throw .invalid("an extended attribute with an invalid name") }
      try kernel("set the extended attribute \(printable(name))") { () throws(Errno) in
        try setAttribute(name, value, of: file)
      }
    }
  }
}
