import LinuxKernel
import Registry
import StrictJSON
import TaskStore

/// The registries of an Aurora client's clusters: `docker_registry` in `clusters.json`, a list of clusters or an object of them.
struct ClusterRegistries {
  private let path: String
  private var clusters: [(name: String, registry: String?)] = []

  init(_ path: String) throws(ExecutorFailure) {
    self.path = path
    let bytes: [UInt8]
    do throws(Errno) { bytes = try readRegularFile(path, limit: 4 << 20) } catch {
      throw ExecutorFailure(.notFound, "--clusters \(printable(path.utf8)): \(error)")
    }
    let json: JSON
    do throws(JSONError) { json = try JSON(parsing: bytes) } catch {
      throw ExecutorFailure(.configuration, "--clusters \(printable(path.utf8)):\(error)")
    }
    guard let entries = json.array ?? json.members?.map(\.value) else {
      throw ExecutorFailure(
        .configuration, "--clusters \(printable(path.utf8)): \(json.kind), where a list of clusters is needed")
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
    let isPlain: Bool

    /// An image's full name there; one that names a registry itself keeps it.
    func name(_ text: String, _ access: inout RegistryAccess) throws(ExecutorFailure) -> String {
      let first = text.utf8.prefix { $0 != UInt8(ascii: "/") }
      let namesRegistry =
        first.count < text.utf8.count
        && (first.contains(UInt8(ascii: ".")) || first.contains(UInt8(ascii: ":"))
          || first.elementsEqual("localhost".utf8))
      if namesRegistry { return text }
      if isPlain { access.plainHTTP.append(authority) }
      return "\(authority)/\(text)"
    }
  }

  /// The registry of a cluster; `nil` where that is Docker Hub.
  func registry(of cluster: String) throws(ExecutorFailure) -> ClusterRegistry? {
    // The later entry wins, as the later file does.
    guard let entry = clusters.last(where: { $0.name.utf8.elementsEqual(cluster.utf8) }) else {
      let known = clusters.map { printable($0.name.utf8) }.joined(separator: ", ")
      throw ExecutorFailure(
        .notFound, "\(printable(path.utf8)) has no cluster \(printable(cluster.utf8))",
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
