import StrictJSON

/// What an image says about running it, from its configuration document (OCI image spec, `config.md`; Docker's is the
/// same).
package struct ImageConfig: Sendable, Equatable {
  /// A name and a value; no name occurs twice.
  package struct Label: Sendable, Equatable {
    package let name: String
    package let value: String
    package init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// `NAME=value`, as the document has them.
  package var environment: [String] = []
  package var entrypoint: [String] = []
  package var command: [String] = []
  /// Empty when the image names none.
  package var workingDirectory = ""
  /// Never used to choose an identity: the task's role decides.
  package var user = ""
  package var labels: [Label] = []
  /// `80/tcp`
  package var exposedPorts: [String] = []
  /// Paths in the image.
  package var volumes: [String] = []
  /// `SIGTERM` or a number; empty when the image names none.
  package var stopSignal = ""
  /// Go's names, `amd64` and `linux`; empty in some old images.
  package var architecture = ""
  package var os = ""
  package var variant = ""
  /// RFC 3339, as the document has it.
  package var created = ""
  /// Digests of the layers' tar streams, bottom to top. Empty in the documents of old `docker save` archives.
  package var diffIDs: [Digest] = []

  package init() {}

  /// Items of one list; ports may be every one there is, with each protocol.
  private static let maximumItems = 4096
  private static let maximumPorts = 3 * 65536

  /// Reads a configuration document.
  ///
  /// - Parameter isStored: whether it was taken into the store before there were bounds.
  package init(document: JSON, isStored: Bool = false) throws(ImageError) {
    try self.init(reading: document)
    if !isStored { try checkBounds() }
  }

  private init(reading document: JSON) throws(ImageError) {
    guard document.members != nil else { throw .invalid("the image configuration is \(document.kind), not an object") }
    architecture = try ImageConfig.text(document["architecture"], "architecture")
    os = try ImageConfig.text(document["os"], "os")
    variant = try ImageConfig.text(document["variant"], "variant")
    created = try ImageConfig.text(document["created"], "created")
    if let rootfs = document["rootfs"], !rootfs.isNull {
      guard let list = rootfs["diff_ids"]?.array else { throw .invalid("rootfs without a list of diff_ids") }
      for item in list {
        guard let text = item.string, let digest = Digest(text) else {
          throw .invalid("a diff id that is not sha256: and 64 lower-case hexadecimal digits")
        }
        diffIDs.append(digest)
      }
    }
    guard let config = document["config"], !config.isNull else { return }
    guard config.members != nil else { throw .invalid("config is \(config.kind), not an object") }
    environment = try ImageConfig.list(config["Env"], "Env")
    entrypoint = try ImageConfig.list(config["Entrypoint"], "Entrypoint")
    command = try ImageConfig.list(config["Cmd"], "Cmd")
    workingDirectory = try ImageConfig.text(config["WorkingDir"], "WorkingDir")
    user = try ImageConfig.text(config["User"], "User")
    stopSignal = try ImageConfig.text(config["StopSignal"], "StopSignal")
    exposedPorts = try ImageConfig.keys(config["ExposedPorts"], "ExposedPorts")
    volumes = try ImageConfig.keys(config["Volumes"], "Volumes")
    if let labels = config["Labels"], !labels.isNull {
      guard let members = labels.members else { throw .invalid("Labels is \(labels.kind), not an object") }
      for member in members {
        guard let value = member.value.string else { throw .invalid("the label \(member.key) is no string") }
        self.labels.append(Label(name: member.key, value: value))
      }
    }
  }

  /// Refuses what no image has and every start of a container would have to read.
  private func checkBounds() throws(ImageError) {
    let lists = [("Env", environment), ("Entrypoint", entrypoint), ("Cmd", command), ("Volumes", volumes)]
    for (name, count) in lists.map({ ($0, $1.count) }) + [("Labels", labels.count)]
    where count > ImageConfig.maximumItems {
      throw .invalid("the image configuration has \(count) items of \(name), more than \(ImageConfig.maximumItems)")
    }
    guard exposedPorts.count <= ImageConfig.maximumPorts else {
      throw .invalid("the image configuration has \(exposedPorts.count) ExposedPorts")
    }
    let texts =
      lists.flatMap(\.1) + exposedPorts + [workingDirectory, user, stopSignal, architecture, os, variant, created]
    let bytes = (texts + labels.flatMap { [$0.name, $0.value] }).reduce(0) { $0 + $1.utf8.count }
    try ImageConfig.check(size: UInt64(bytes))
  }

  /// The largest configurations are of servers for telephony, which expose every port from 16384 on: half a MiB. Others have
  /// a few KiB.
  static func check(size: UInt64, budgets: Budgets = Budgets()) throws(ImageError) {
    guard size <= UInt64(budgets.configurationBytes) else {
      throw .invalid("an image configuration of \(size) bytes, more than \(budgets.configurationBytes)")
    }
  }

  /// None of these may hold a NUL: they become arguments, environment and paths.
  private static func plain(_ text: String, _ what: String) throws(ImageError) -> String {
    if text.utf8.contains(0) { throw .invalid("\(what) holds a NUL") }
    return text
  }

  private static func text(_ value: JSON?, _ what: String) throws(ImageError) -> String {
    guard let value, !value.isNull else { return "" }
    guard let text = value.string else { throw .invalid("\(what) is \(value.kind), not a string") }
    return try plain(text, what)
  }

  /// A list of strings; Docker also accepts one string for a list of one.
  private static func list(_ value: JSON?, _ what: String) throws(ImageError) -> [String] {
    guard let value, !value.isNull else { return [] }
    if let text = value.string { return [try plain(text, what)] }
    guard let items = value.array else { throw .invalid("\(what) is \(value.kind), not a list of strings") }
    var result: [String] = []
    for item in items {
      guard let text = item.string else { throw .invalid("\(what) holds \(item.kind), not only strings") }
      result.append(try plain(text, what))
    }
    return result
  }

  /// The keys of an object whose values mean nothing.
  private static func keys(_ value: JSON?, _ what: String) throws(ImageError) -> [String] {
    guard let value, !value.isNull else { return [] }
    guard let members = value.members else { throw .invalid("\(what) is \(value.kind), not an object") }
    var result: [String] = []
    for member in members { result.append(try plain(member.key, what)) }
    return result
  }

  /// The document that this configuration is, in the OCI form. For images that came without one, its digest is the
  /// image's id: the same layers and settings always give the same.
  var document: JSON {
    func texts(_ list: [String]) -> JSON? { list.isEmpty ? nil : JSON(list.map { JSON($0) }) }
    func text(_ text: String) -> JSON? { text.isEmpty ? nil : JSON(text) }
    func keys(_ list: [String]) -> JSON? { list.isEmpty ? nil : JSON(object: list.map { ($0, JSON(object: [])) }) }
    let config = JSON(object: [
      ("User", text(user)), ("ExposedPorts", keys(exposedPorts)), ("Env", texts(environment)),
      ("Entrypoint", texts(entrypoint)), ("Cmd", texts(command)), ("Volumes", keys(volumes)),
      ("WorkingDir", text(workingDirectory)),
      ("Labels", labels.isEmpty ? nil : JSON(object: labels.map { ($0.name, JSON($0.value)) })),
      ("StopSignal", text(stopSignal)),
    ])
    return JSON(object: [
      ("created", text(created)), ("architecture", JSON(architecture)), ("os", JSON(os)), ("variant", text(variant)),
      ("config", config),
      (
        "rootfs",
        JSON(object: [("type", "layers"), ("diff_ids", JSON(diffIDs.map { JSON($0.description) }))])
      ),
    ])
  }

  func write(to wire: inout WireWriter) {
    for list in [environment, entrypoint, command, exposedPorts, volumes] { wire.put(list: list) { $0.put($1) } }
    for text in [workingDirectory, user, stopSignal, architecture, os, variant, created] { wire.put(text) }
    wire.put(list: labels) { wire, label in
      wire.put(label.name)
      wire.put(label.value)
    }
    wire.put(list: diffIDs) { $0.put($1) }
  }

  init(from wire: inout WireReader) throws(ImageError) {
    func texts() throws(ImageError) -> [String] {
      try wire.list { (wire) throws(ImageError) in try ImageConfig.plain(try wire.text(), "the image configuration") }
    }
    func text() throws(ImageError) -> String { try ImageConfig.plain(try wire.text(), "the image configuration") }
    environment = try texts()
    entrypoint = try texts()
    command = try texts()
    exposedPorts = try texts()
    volumes = try texts()
    workingDirectory = try text()
    user = try text()
    stopSignal = try text()
    architecture = try text()
    os = try text()
    variant = try text()
    created = try text()
    labels = try wire.list { (wire) throws(ImageError) in Label(name: try wire.text(), value: try wire.text()) }
    diffIDs = try wire.list { (wire) throws(ImageError) in try wire.digest() }
    try checkBounds()
  }
}
