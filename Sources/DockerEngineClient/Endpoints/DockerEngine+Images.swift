import RegistryCredentials
import StrictJSON

extension DockerEngine {
  /// Images that meet every filter, such as `["reference": ["busybox"]]` (`GET /images/json`).
  public func listImages(filters: EngineFilters = [:]) throws(DockerEngineError) -> [ImageSummary] {
    try perform(
      request("GET", "/images/json", query: [("digests", "1"), ("filters", encoded(filters))], "list images"),
      decode: list(ImageSummary.init))
  }

  /// Everything about the image called `reference`: a name, a name with a digest or an id (`GET /images/{name}/json`).
  /// - Throws: status 404 when the engine has none.
  public func inspectImage(_ reference: String) throws(DockerEngineError) -> ImageDetails {
    let operation = "inspect image \(excerpt(reference.utf8, limit: 120))"
    do throws(DockerEngineError) {
      return try perform(
        request("GET", "/images/\(EngineName.imagePath(reference))/json", operation),
        decode: object(ImageDetails.init))
    } catch {
      throw error.during(operation)
    }
  }

  /// Starts pulling an image from its registry (`POST /images/create`). The image is there once the stream has ended
  /// without an error; inspect it to learn what it is.
  ///
  /// - Parameters:
  ///   - reference: `[host[:port]/]name[:tag][@digest]`; without tag and digest, `latest`.
  ///   - authorization: of `RegistryAuthorization`, when the registry wants one.
  ///   - platform: `os[/architecture[/variant]]`; the engine's own by default.
  ///   - deadlines: the engine says nothing while it waits for a slow registry, so these are generous.
  public func pullImage(
    _ reference: String, authorization: RegistryAuthorization? = nil, platform: String? = nil,
    deadlines: Deadlines? = nil
  ) throws(DockerEngineError) -> EngineStream<EngineProgress> {
    let operation = "pull image \(excerpt(reference.utf8, limit: 120))"
    do throws(DockerEngineError) {
      _ = try EngineName.imagePath(reference)
      let (name, tag) = DockerEngine.split(reference)
      var patient = streaming(idle: .seconds(300))
      patient.head = .seconds(300)
      var request = try request(
        "POST", "/images/create", query: [("fromImage", name), ("tag", tag), ("platform", platform)], operation,
        deadlines: deadlines ?? patient)
      if let authorization { request.fields.append(("X-Registry-Auth", authorization.headerValue)) }
      return try stream(request, decode: JSONLineReader.decoder(EngineProgress.read))
    } catch {
      throw error.during(operation)
    }
  }

  /// Name and tag as `/images/create` takes them: a digest goes where the tag goes, and an absent tag would mean all.
  static func split(_ reference: String) -> (name: String, tag: String) {
    let bytes = Array(reference.utf8)
    func text(_ part: ArraySlice<UInt8>) -> String { String(decoding: part, as: UTF8.self) }
    let start = (bytes.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1
    let colon = bytes[start...].firstIndex(of: UInt8(ascii: ":"))
    if let at = bytes.firstIndex(of: UInt8(ascii: "@")) {
      // With a digest the tag says nothing more.
      let end = colon.map { $0 < at ? $0 : at } ?? at
      return (text(bytes[..<end]), text(bytes[(at + 1)...]))
    }
    guard let colon else { return (reference, "latest") }
    return (text(bytes[..<colon]), text(bytes[(colon + 1)...]))
  }

  /// Loads the images of a `docker save` or OCI archive (`POST /images/load`).
  ///
  /// Returns what the engine says it loaded: references, or ids of images without one. An engine that says nothing
  /// gives an empty list: ask for the image before believing that it is there.
  public func loadImages(
    _ archive: UploadBody, progress: (EngineProgress) -> Void = { _ in }
  ) throws(DockerEngineError) -> [String] {
    var deadlines = streaming(idle: .seconds(600))
    deadlines.head = .seconds(600)
    var request = try request("POST", "/images/load", query: [("quiet", "0")], "load images", deadlines: deadlines)
    request.body = .upload(archive, type: "application/x-tar")
    let messages = try stream(request, decode: JSONLineReader.decoder(EngineProgress.read))
    var loaded: [String] = []
    while let message = try messages.next() {
      progress(message)
      for prefix in ["Loaded image: ", "Loaded image ID: "] where message.status.utf8.starts(with: prefix.utf8) {
        let rest = message.status.utf8.dropFirst(prefix.utf8.count).prefix { $0 > 0x20 }
        loaded.append(String(decoding: Array(rest), as: UTF8.self))
      }
    }
    return loaded
  }

  /// Gives an image a further name (`POST /images/{name}/tag`).
  public func tagImage(_ reference: String, repository: String, tag: String) throws(DockerEngineError) {
    let operation = "tag image \(excerpt(reference.utf8, limit: 120))"
    do throws(DockerEngineError) {
      try perform(
        request(
          "POST", "/images/\(EngineName.imagePath(reference))/tag", query: [("repo", repository), ("tag", tag)],
          operation))
    } catch {
      throw error.during(operation)
    }
  }

  /// Takes a name away from an image, and the image when that was its last (`DELETE /images/{name}`).
  /// - Parameters:
  ///   - force: also when containers that do not run use it.
  ///   - prune: also parents without a name.
  /// - Throws: status 404 when there is none, 409 when it is in use.
  public func removeImage(
    _ reference: String, force: Bool = false, prune: Bool = true
  ) throws(DockerEngineError) -> ImageRemoval {
    let operation = "remove image \(excerpt(reference.utf8, limit: 120))"
    do throws(DockerEngineError) {
      let steps = try perform(
        request(
          "DELETE", "/images/\(EngineName.imagePath(reference))",
          query: [("force", force ? "1" : nil), ("noprune", prune ? nil : "1")], operation,
          deadlines: configuration.deadlines.allowing(.seconds(60))),
        decode: list { (fields) throws(DockerEngineError) in
          (try fields.string("Untagged"), try fields.string("Deleted"))
        })
      return ImageRemoval(untagged: steps.compactMap(\.0), deleted: steps.compactMap(\.1))
    } catch {
      throw error.during(operation)
    }
  }
}
