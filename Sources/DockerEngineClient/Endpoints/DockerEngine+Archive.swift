import RegistryCredentials
import StrictJSON

// Files of a container as tar archives.
//
// Only for containers of the caller's own that do not run: while a process inside can change the tree, an engine that
// resolves a path in it can be led elsewhere (CVE-2018-15664, CVE-2019-14271 and their kin).

/// What the engine says of a path in a container.
public struct ContainerPathStatus: Sendable, Equatable {
  /// The last component.
  public let name: String
  /// Bytes.
  public let size: Int64
  /// As Go's `os.FileMode`: bit 31 is a directory, bit 27 a link, the low nine bits are permissions.
  public let mode: Int64
  /// Where a link leads, resolved inside the container; empty otherwise.
  public let linkTarget: String

  /// Whether it is a link.
  public var isLink: Bool { mode & 1 << 27 != 0 }
  /// Whether it is a file with content: no directory, link, device, pipe, socket, character device or anything irregular.
  public var isRegularFile: Bool { mode & (1 << 31 | 1 << 27 | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19) == 0 }
}

extension DockerEngine {
  /// What is at `path` in a container that does not run (`HEAD /containers/{id}/archive`).
  /// - Throws: status 404 when there is nothing.
  public func pathStatus(in id: ContainerID, path: String) throws(DockerEngineError) -> ContainerPathStatus {
    try perform(
      request(
        "HEAD", "/containers/\(id.text)/archive", query: [("path", path)], "look into container \(id.short)")
    ) { (head, _) throws(DockerEngineError) in
      guard let value = head.value(of: "x-docker-container-path-stat"),
        let text = Base64.decode(String(decoding: value, as: UTF8.self))
      else { throw .decoding("the response has no valid X-Docker-Container-Path-Stat") }
      let fields = try JSONFields(parsing: text)
      return ContainerPathStatus(
        name: try fields.requiredString("name"), size: try fields.integer("size") ?? 0,
        mode: try fields.integer("mode") ?? 0, linkTarget: try fields.string("linkTarget") ?? "")
    }
  }

  /// The tar archive of `path` in a container that does not run (`GET /containers/{id}/archive`), in pieces. What it
  /// holds is the container's work: names in it prove nothing.
  public func getArchive(
    of path: String, in id: ContainerID
  ) throws(DockerEngineError) -> EngineStream<[UInt8]> {
    try stream(
      request(
        "GET", "/containers/\(id.text)/archive", query: [("path", path)], "copy from container \(id.short)",
        deadlines: streaming(idle: configuration.deadlines.idle))
    ) { (input, pieces) throws(DockerEngineError) in
      if case .bytes(let bytes) = input { pieces.append(bytes) }
    }
  }

  /// Unpacks a tar archive below the directory `path` of a container that does not run
  /// (`PUT /containers/{id}/archive`).
  /// - Parameter keepKinds: a directory must not replace a file, nor a file a directory.
  public func putArchive(
    _ archive: UploadBody, to path: String, in id: ContainerID, keepKinds: Bool = false
  ) throws(DockerEngineError) {
    var request = try request(
      "PUT", "/containers/\(id.text)/archive",
      query: [("path", path), ("noOverwriteDirNonDir", keepKinds ? "1" : nil)], "copy into container \(id.short)",
      deadlines: streaming(idle: configuration.deadlines.idle))
    request.body = .upload(archive, type: "application/x-tar")
    request.freshConnection = true
    try perform(request)
  }
}
