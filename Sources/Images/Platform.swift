/// What an image runs on, in Go's names.
package struct Platform: Sendable, Hashable, CustomStringConvertible {
  package var os: String
  package var architecture: String
  package var variant: String

  package init(os: String, architecture: String, variant: String = "") {
    self.os = os
    self.architecture = architecture
    self.variant = variant
  }

  package var description: String { "\(os)/\(architecture)" + (variant.isEmpty ? "" : "/\(variant)") }

  /// What this program was built for.
  package static var host: Platform {
    #if arch(x86_64)
      Platform(os: "linux", architecture: "amd64")
    #elseif arch(arm64)
      Platform(os: "linux", architecture: "arm64", variant: "v8")
    #else
      Platform(os: "linux", architecture: "unknown")
    #endif
  }

  /// What `os/architecture[/variant]` or an architecture alone means; `nil` for anything else.
  package init?(_ text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map {
      String(decoding: $0, as: UTF8.self)
    }
    guard (1...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 64 }) else { return nil }
    let isPlain = { (byte: UInt8) in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }
    guard parts.allSatisfy({ $0.utf8.allSatisfy(isPlain) }) else { return nil }
    if parts.count == 1 {
      self = Platform(os: "linux", architecture: parts[0]).normalized
    } else {
      self = Platform(os: parts[0], architecture: parts[1], variant: parts.count > 2 ? parts[2] : "").normalized
    }
  }

  /// The same under Go's names: other tools write the kernel's, or a variant that says nothing more.
  package var normalized: Platform {
    var result = Platform(
      os: Platform.folded(os), architecture: Platform.folded(architecture), variant: Platform.folded(variant))
    let names: [(String, String, String)] = [
      ("x86_64", "amd64", ""), ("x86-64", "amd64", ""), ("i386", "386", ""), ("i686", "386", ""),
      ("aarch64", "arm64", ""), ("armhf", "arm", "v7"), ("armel", "arm", "v6"), ("armv7l", "arm", "v7"),
      ("armv6l", "arm", "v6"), ("ppc64el", "ppc64le", ""), ("mips64el", "mips64le", ""),
    ]
    if let known = names.first(where: { $0.0.utf8.elementsEqual(result.architecture.utf8) }) {
      result.architecture = known.1
      if result.variant.isEmpty { result.variant = known.2 }
    }
    switch (result.architecture, result.variant) {
    case ("arm64", "8"), ("arm64", "v8"): result.variant = ""
    case ("amd64", "v1"): result.variant = ""
    case ("arm", "7"), ("arm", "6"), ("arm", "5"), ("arm", "8"): result.variant = "v" + result.variant
    default: break
    }
    return result
  }

  /// In lower case, without the tables that `lowercased()` needs: these names are ASCII.
  private static func folded(_ text: String) -> String {
    String(
      decoding: text.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
  }

  /// How well an image for `other` runs here: 0 not at all, larger is better. Names are compared by what they mean, and
  /// those that an image leaves empty do not speak against it.
  package func suits(_ other: Platform) -> Int { normalized.suits(normalized: other.normalized) }

  private func suits(normalized other: Platform) -> Int {
    func same(_ one: String, _ two: String) -> Bool { one.utf8.elementsEqual(two.utf8) }
    guard other.os.isEmpty || same(os, other.os) else { return 0 }
    if other.architecture.isEmpty { return 1 }
    if same(architecture, other.architecture) {
      if other.variant.isEmpty || same(variant, other.variant) { return 4 }
      // Of these processors one without a variant is the least there is, as Docker takes it: it runs no other.
      return variant.isEmpty && !same(architecture, "amd64") ? 3 : 0
    }
    // A 64-bit processor also runs the 32-bit programs of its family.
    let family = [("amd64", "386"), ("arm64", "arm")]
    return family.contains { same($0.0, architecture) && same($0.1, other.architecture) } ? 2 : 0
  }
}
