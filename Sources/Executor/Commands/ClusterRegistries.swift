import Glibc
import LinuxKernel
import Registry
import StrictJSON
import TaskStore

/// The registries of an Aurora client's clusters: `docker_registry` in `clusters.json`, a list of clusters or an object of them.
struct ClusterRegistries {
  /// As messages name it: where the last of what was found was read.
  private var place: String
  private var clusters: [(name: String, registry: String?)] = []

  static let option = Option(
    "--clusters", value: "FILE",
    "clusters.json of an Aurora client ($AURORA_CONFIG_ROOT or /etc/aurora, then ~/.aurora)")

  /// What the command line names, else what there is.
  init?(_ arguments: Arguments, _ environment: [String: String]) throws(ExecutorFailure) {
    if let path = arguments.last(ClusterRegistries.option.name) {
      try self.init(path)
    } else {
      try self.init(environment: environment)
    }
  }

  init(_ path: String) throws(ExecutorFailure) {
    place = path
    let bytes: [UInt8]
    do throws(Errno) { bytes = try readRegularFile(path, limit: 4 << 20, followLinks: true) } catch {
      throw ExecutorFailure(.notFound, "--clusters \(printable(path.utf8)): \(error)")
    }
    try add(bytes)
  }

  /// What Aurora's client reads where nothing is named; of two clusters of one name the later one counts. `nil` where there is
  /// no such file.
  init?(environment: [String: String]) throws(ExecutorFailure) {
    place = ""
    let roots = [environment["AURORA_CONFIG_ROOT"] ?? "/etc/aurora", environment["HOME"].map { $0 + "/.aurora" }]
    for path in roots.compactMap({ $0 }).filter({ !$0.isEmpty }).map({ $0 + "/clusters.json" }) {
      let bytes: [UInt8]
      do throws(Errno) { bytes = try readRegularFile(path, limit: 4 << 20, followLinks: true) } catch {
        if error.code == ENOENT || error.code == ENOTDIR { continue }
        throw ExecutorFailure(.notFound, "\(printable(path.utf8)): \(error)", hint: "--clusters FILE names another")
      }
      place = path
      try add(bytes)
    }
    if place.isEmpty { return nil }
  }

  private mutating func add(_ bytes: [UInt8]) throws(ExecutorFailure) {
    let json: JSON
    do throws(JSONError) { json = try JSON(parsing: bytes) } catch {
      throw ExecutorFailure(.configuration, "\(printable(place.utf8)):\(error)")
    }
    guard let entries = json.array ?? json.members?.map(\.value) else {
      throw ExecutorFailure(
        .configuration, "\(printable(place.utf8)): \(json.kind), where a list of clusters is needed")
    }
    for entry in entries {
      // As Aurora has it: what has no name is nobody's.
      guard let name = entry["name"]?.string else { continue }
      clusters.append((name, entry["docker_registry"]?.string))
    }
  }

  /// A registry that is not Docker Hub.
  struct ClusterRegistry {
    let authority: String
    /// Whether plain HTTP is to be spoken with it.
    let isPlain: Bool

    /// An image's full name there; one that names a registry itself keeps it.
    ///
    /// - Parameter plainHTTP: the registry is added to it where it has to be.
    func name(_ text: String, _ plainHTTP: inout [String]) -> String {
      let first = text.utf8.prefix { $0 != UInt8(ascii: "/") }
      let namesRegistry =
        first.count < text.utf8.count
        && (first.contains(UInt8(ascii: ".")) || first.contains(UInt8(ascii: ":"))
          || first.elementsEqual("localhost".utf8))
      if namesRegistry { return text }
      if isPlain, !plainHTTP.contains(authority) { plainHTTP.append(authority) }
      return "\(authority)/\(text)"
    }
  }

  /// The registry of a cluster; `nil` where that is Docker Hub.
  func registry(of cluster: String) throws(ExecutorFailure) -> ClusterRegistry? {
    // The later entry wins, as the later file does.
    guard let entry = clusters.last(where: { $0.name.utf8.elementsEqual(cluster.utf8) }) else {
      let known = clusters.map { printable($0.name.utf8) }.joined(separator: ", ")
      throw ExecutorFailure(
        .notFound, "\(printable(place.utf8)) has no cluster \(printable(cluster.utf8))",
        hint: known.isEmpty ? "it has none" : "it has \(known)")
    }
    guard let url = entry.registry, !url.isEmpty else { return nil }
    let endpoint: RegistryEndpoint
    do throws(RegistryError) { endpoint = try RegistryEndpoint(registry: "docker.io", mirror: url) } catch {
      throw ExecutorFailure(
        .configuration,
        "the docker_registry of \(printable(cluster.utf8)) is no URL of a registry: \(printable(url.utf8))")
    }
    guard endpoint.prefix.isEmpty else {
      throw ExecutorFailure(
        .configuration,
        "the docker_registry of \(printable(cluster.utf8)) has a path, which no name of an image can have: \(printable(url.utf8))"
      )
    }
    if endpoint.isDockerHub { return nil }
    return ClusterRegistry(authority: endpoint.authority, isPlain: endpoint.scheme == .http)
  }
}
