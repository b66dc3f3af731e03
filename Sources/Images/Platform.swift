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

  /// How well an image for `other` runs here: 0 not at all, larger is better. Names that an image leaves empty do not
  /// speak against it.
  func suits(_ other: Platform) -> Int {
    func same(_ one: String, _ two: String) -> Bool { one.utf8.elementsEqual(two.utf8) }
    guard other.os.isEmpty || same(os, other.os) else { return 0 }
    if other.architecture.isEmpty { return 1 }
    if same(architecture, other.architecture) {
      return other.variant.isEmpty || same(variant, other.variant) ? 4 : variant.isEmpty ? 3 : 0
    }
    // A 64-bit processor also runs the 32-bit programs of its family.
    let family = [("amd64", "386"), ("arm64", "arm")]
    return family.contains { same($0.0, architecture) && same($0.1, other.architecture) } ? 2 : 0
  }
}
