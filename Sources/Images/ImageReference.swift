/// The name of an image as Docker writes it: `registry/repository:tag@digest`.
///
/// `debian:bookworm` and `docker.io/library/debian:bookworm` are the same reference. The grammar is that of the Docker
/// distribution project (`reference/regexp.go`), checked on bytes.
package struct ImageReference: Sendable, Hashable, CustomStringConvertible {
  /// `docker.io`, `localhost:5000`, `[::1]:443`.
  package let registry: String
  /// `library/debian`; never empty.
  package let repository: String
  /// `latest` when the text names neither a tag nor a digest.
  package let tag: String?
  /// Decides over the tag where both are given.
  package let digest: Digest?

  package static let defaultRegistry = "docker.io"

  /// Reads a reference in its familiar or its full form.
  package init(_ text: String) throws(ReferenceError) {
    let all = Array(text.utf8)
    guard !all.isEmpty else { throw ReferenceError(text, "it is empty") }
    guard all.count <= 1024 else { throw ReferenceError(text, "it is longer than 1024 bytes") }

    var rest = all[...]
    var digest: Digest?
    if let at = rest.firstIndex(of: UInt8(ascii: "@")) {
      guard let value = Digest(rest[(at + 1)...]) else {
        throw ReferenceError(text, "what follows @ must be sha256: and 64 lower-case hexadecimal digits")
      }
      digest = value
      rest = rest[..<at]
    }
    var tag: String?
    if let colon = rest.lastIndex(of: UInt8(ascii: ":")), !rest[colon...].contains(UInt8(ascii: "/")) {
      let value = rest[(colon + 1)...]
      guard ReferenceGrammar.isTag(value) else {
        throw ReferenceError(
          text, "a tag has 1 to 128 letters, digits, '_', '.' and '-', and starts with none of the last two")
      }
      tag = String(decoding: value, as: UTF8.self)
      rest = rest[..<colon]
    }
    guard !rest.isEmpty else { throw ReferenceError(text, "the repository is missing") }

    var registry = ImageReference.defaultRegistry
    var path = rest
    if let slash = rest.firstIndex(of: UInt8(ascii: "/")) {
      let first = rest[..<slash]
      if ReferenceGrammar.namesRegistry(first) {
        guard ReferenceGrammar.isRegistry(first) else {
          throw ReferenceError(
            text, "\"\(String(decoding: first, as: UTF8.self))\" is no host name with an optional port")
        }
        registry = String(decoding: first, as: UTF8.self)
        path = rest[(slash + 1)...]
      }
    }
    if registry.utf8.elementsEqual("index.docker.io".utf8) { registry = ImageReference.defaultRegistry }
    guard ReferenceGrammar.isRepository(path) else {
      throw ReferenceError(
        text,
        "a repository is made of lower-case letters and digits, separated by '.', '_', '__' or '-', in parts joined by '/'"
      )
    }
    if rest.count == 64, Digest(hex: rest) != nil {
      throw ReferenceError(text, "64 hexadecimal digits are an image id, not a name")
    }
    var repository = String(decoding: path, as: UTF8.self)
    if registry.utf8.elementsEqual(ImageReference.defaultRegistry.utf8), !path.contains(UInt8(ascii: "/")) {
      repository = "library/" + repository
    }
    // Of what is kept, not of what was written: that is read again wherever the name is.
    guard repository.utf8.count <= 255 else {
      throw ReferenceError(text, "the repository is longer than 255 bytes, with what it is completed by")
    }
    self.init(
      registry: registry, repository: repository, tag: tag ?? (digest == nil ? "latest" : nil), digest: digest)
  }

  private init(registry: String, repository: String, tag: String?, digest: Digest?) {
    self.registry = registry
    self.repository = repository
    self.tag = tag
    self.digest = digest
  }

  /// The same repository and tag without the digest; `latest` when there is no tag.
  package var tagged: ImageReference {
    ImageReference(registry: registry, repository: repository, tag: tag ?? "latest", digest: nil)
  }

  /// The same repository with a digest and no tag: what `resolve` gives.
  package func pinned(to digest: Digest) -> ImageReference {
    ImageReference(registry: registry, repository: repository, tag: nil, digest: digest)
  }

  private var suffix: String { (tag.map { ":" + $0 } ?? "") + (digest.map { "@\($0)" } ?? "") }

  /// The full form: `docker.io/library/debian:bookworm`.
  package var canonical: String { "\(registry)/\(repository)\(suffix)" }

  /// The repository in the form people write: `debian`, `example.com/team/app`.
  package var familiarName: String {
    guard registry.utf8.elementsEqual(ImageReference.defaultRegistry.utf8) else { return "\(registry)/\(repository)" }
    let library = Array("library/".utf8)
    let bytes = Array(repository.utf8)
    let plain = bytes.dropFirst(library.count)
    // `library/a/b` must keep its first part, or it would read as `a/b`.
    guard bytes.starts(with: library), !plain.contains(UInt8(ascii: "/")) else { return repository }
    return String(decoding: plain, as: UTF8.self)
  }

  /// The familiar form: `debian:bookworm`.
  package var description: String { familiarName + suffix }
}

/// Text that is no image reference.
package struct ReferenceError: Error, Sendable, CustomStringConvertible {
  package let text: String
  package let why: String

  init(_ text: String, _ why: String) {
    self.text = text
    self.why = why
  }

  package var description: String { "image reference \"\(text)\": \(why)" }
}
