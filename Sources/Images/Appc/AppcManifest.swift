import LinuxKernel
import StrictJSON

/// The manifest of an ACI (AppC specification, `aci.md`), as far as it says what is run and of what the image is made.
struct AppcManifest: Sendable, Equatable {
  var name: String
  var labels: [ImageConfig.Label] = []
  /// How it is run: `app`, in the terms of all images. Its user and group are shown, and do not decide.
  var config = ImageConfig()
  /// Lowest first.
  var dependencies: [AppcDependency] = []
  /// The paths that are left of the image and its dependencies, without the slash in front; empty where all are.
  var pathWhitelist: [[UInt8]] = []

  /// Reads the document. What is in it beside this is for others.
  init(document: JSON, budgets: Budgets) throws(ImageError) {
    guard document.members != nil else { throw .invalid("it is \(document.kind), not an object") }
    let kind = try AppcManifest.text(document["acKind"], "acKind") ?? ""
    guard kind.utf8.elementsEqual("ImageManifest".utf8) else {
      throw .invalid("its acKind is \"\(printable(kind.utf8.prefix(100)))\", not ImageManifest")
    }
    let version = try AppcManifest.text(document["acVersion"], "acVersion") ?? ""
    guard AppcManifest.isKnown(version) else {
      throw .invalid("its acVersion is \"\(printable(version.utf8.prefix(100)))\"; versions 0.x are understood")
    }
    name = try AppcManifest.identifier(document["name"], "name")
    labels = try AppcManifest.labels(document["labels"])
    if let app = document["app"], !app.isNull { try read(app: app) }
    (config.os, config.architecture) = (label("os"), label("arch"))
    if config.os.isEmpty { config.architecture = "" }
    config.created = try AppcManifest.created(document["annotations"])

    let list = try AppcManifest.list(document["dependencies"], "dependencies")
    guard list.count <= budgets.layers else {
      throw .invalid("\(list.count) dependencies, more than \(budgets.layers)")
    }
    for (index, item) in list.enumerated() {
      do throws(ImageError) { dependencies.append(try AppcDependency(item)) } catch {
        throw error.at("dependencies[\(index)]")
      }
    }
    for (index, item) in try AppcManifest.list(document["pathWhitelist"], "pathWhitelist").enumerated() {
      let place = "pathWhitelist[\(index)]"
      let path = Array((try AppcManifest.text(item, place) ?? "").utf8)
      guard path.first == UInt8(ascii: "/") else {
        throw ImageError.invalid("\"\(printable(path.prefix(512)))\" is not an absolute path").at(place)
      }
      let relative = path.drop { $0 == UInt8(ascii: "/") }
      do throws(ImageError) {
        let checked = try LayerPath(relative.isEmpty ? [UInt8(ascii: ".")] : Array(relative), budgets: budgets)
        pathWhitelist.append(Array(checked.text.dropLast()))
      } catch {
        throw error.at(place)
      }
    }
  }

  private func label(_ name: String) -> String {
    labels.first { $0.name.utf8.elementsEqual(name.utf8) }?.value ?? ""
  }

  /// Semantic versions of the major version 0, the only one there has been.
  private static func isKnown(_ version: String) -> Bool {
    let parts = version.utf8.split(separator: UInt8(ascii: "."), maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].elementsEqual("0".utf8), version.utf8.count <= 64 else { return false }
    let isDigit = { (byte: UInt8) in (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    return !parts[1].isEmpty && parts[1].allSatisfy(isDigit) && (parts[2].first.map(isDigit) ?? false)
  }

  private mutating func read(app: JSON) throws(ImageError) {
    guard app.members != nil else { throw .invalid("app is \(app.kind), not an object") }
    for (index, item) in try AppcManifest.list(app["exec"], "app.exec").enumerated() {
      config.entrypoint.append(try AppcManifest.plain(item, "app.exec[\(index)]"))
    }
    if let first = config.entrypoint.first, first.isEmpty { throw .invalid("app.exec[0] is empty") }
    if let directory = app["workingDirectory"], !directory.isNull {
      config.workingDirectory = try AppcManifest.plain(directory, "app.workingDirectory")
    }
    if !config.workingDirectory.isEmpty, config.workingDirectory.utf8.first != UInt8(ascii: "/") {
      throw .invalid(
        "app.workingDirectory is \"\(printable(config.workingDirectory.utf8.prefix(512)))\", not an absolute path")
    }
    for (index, item) in try AppcManifest.list(app["environment"], "app.environment").enumerated() {
      let place = "app.environment[\(index)]"
      let name = try AppcManifest.plain(item["name"], place + ".name")
      guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "=")) else {
        throw ImageError.invalid("\"\(printable(name.utf8.prefix(300)))\" is no name of a variable").at(place)
      }
      config.environment.append(name + "=" + (try AppcManifest.plain(item["value"], place + ".value")))
    }
    let user = try AppcManifest.text(app["user"], "app.user") ?? ""
    let group = try AppcManifest.text(app["group"], "app.group") ?? ""
    config.user = user + (group.isEmpty ? "" : ":" + group)
    if config.user.utf8.contains(0) { throw .invalid("app.user or app.group holds a NUL") }
  }

  /// The annotation of that name; any other is for others.
  private static func created(_ annotations: JSON?) throws(ImageError) -> String {
    for item in try list(annotations, "annotations") {
      guard let name = item["name"]?.string, name.utf8.elementsEqual("created".utf8) else { continue }
      return try plain(item["value"], "annotations: created")
    }
    return ""
  }

  static func labels(_ json: JSON?) throws(ImageError) -> [ImageConfig.Label] {
    var labels: [ImageConfig.Label] = []
    for (index, item) in try list(json, "labels").enumerated() {
      let place = "labels[\(index)]"
      labels.append(
        ImageConfig.Label(
          name: try plain(item["name"], place + ".name"),
          value: try plain(item["value"], place + ".value")))
    }
    return try AppcGrammar.checked(labels)
  }

  static func identifier(_ json: JSON?, _ what: String) throws(ImageError) -> String {
    let text = try text(json, what) ?? ""
    guard AppcGrammar.isIdentifier(text) else { throw AppcGrammar.notAnIdentifier(text).at(what) }
    return text
  }

  static func text(_ json: JSON?, _ what: String) throws(ImageError) -> String? {
    guard let json, !json.isNull else { return nil }
    guard let text = json.string else { throw .invalid("\(what) is \(json.kind), not a string") }
    return text
  }

  /// A string that must be there, and can be an argument or a path.
  private static func plain(_ json: JSON?, _ what: String) throws(ImageError) -> String {
    guard let json else { throw .invalid("\(what) is missing") }
    guard let text = json.string else { throw .invalid("\(what) is \(json.kind), not a string") }
    if text.utf8.contains(0) { throw .invalid("\(what) holds a NUL") }
    return text
  }

  static func list(_ json: JSON?, _ what: String) throws(ImageError) -> [JSON] {
    guard let json, !json.isNull else { return [] }
    guard let list = json.array else { throw .invalid("\(what) is \(json.kind), not a list") }
    return list
  }
}

extension AppcManifest {
  func write(to wire: inout WireWriter) {
    wire.put(name)
    AppcManifest.put(labels, to: &wire)
    config.write(to: &wire)
    wire.put(list: dependencies) { wire, dependency in
      wire.put(dependency.query.name)
      AppcManifest.put(dependency.query.labels, to: &wire)
      wire.put(dependency.query.imageID) { $0.put($1.rawBytes) }
      wire.put(dependency.size) { $0.put($1) }
    }
    wire.put(list: pathWhitelist) { $0.put($1) }
  }

  private static func put(_ labels: [ImageConfig.Label], to wire: inout WireWriter) {
    wire.put(list: labels) { wire, label in
      wire.put(label.name)
      wire.put(label.value)
    }
  }

  /// What comes from a worker is held to the same rules as the document.
  init(from wire: inout WireReader) throws(ImageError) {
    let own = try AppcQuery(name: try wire.text(), labels: try AppcManifest.labels(from: &wire))
    (name, labels) = (own.name, own.labels)
    config = try ImageConfig(from: &wire)
    dependencies = try wire.list { (wire) throws(ImageError) in
      let name = try wire.text()
      let labels = try AppcManifest.labels(from: &wire)
      let id = try wire.optional { (wire) throws(ImageError) in try wire.data() }
      return AppcDependency(
        query: try AppcQuery(name: name, labels: labels, imageID: id.flatMap { AppcImageID(rawBytes: $0) }),
        size: try wire.optional { (wire) throws(ImageError) in try wire.number() })
    }
    pathWhitelist = try wire.list { (wire) throws(ImageError) in
      let path = try wire.data()
      return Array(try LayerPath(path.isEmpty ? [UInt8(ascii: ".")] : path, budgets: Budgets()).text.dropLast())
    }
  }

  private static func labels(from wire: inout WireReader) throws(ImageError) -> [ImageConfig.Label] {
    try wire.list { (wire) throws(ImageError) in
      ImageConfig.Label(name: try wire.text(), value: try wire.text())
    }
  }
}

/// An image that is put below another one.
package struct AppcDependency: Sendable, Equatable {
  package let query: AppcQuery
  /// The bytes of its ACI as it is kept, where they are stated.
  package let size: UInt64?

  init(query: AppcQuery, size: UInt64?) {
    self.query = query
    self.size = size
  }

  init(_ json: JSON) throws(ImageError) {
    guard json.members != nil else { throw .invalid("it is \(json.kind), not an object") }
    let name = try AppcManifest.identifier(json["imageName"], "imageName")
    var id: AppcImageID?
    if let text = try AppcManifest.text(json["imageID"], "imageID") {
      guard let read = AppcImageID(text) else {
        throw .invalid("imageID is not sha512- and 128 hexadecimal digits: \"\(printable(text.utf8.prefix(200)))\"")
      }
      id = read
    }
    query = try AppcQuery(name: name, labels: try AppcManifest.labels(json["labels"]), imageID: id)
    guard let size = json["size"], !size.isNull else {
      self.size = nil
      return
    }
    guard let number = size.integer, let bytes = UInt64(exactly: number) else {
      throw .invalid("size is no number of bytes")
    }
    self.size = bytes
  }
}
