/// How long to wait before files are looked at again whose changes the kernel does not tell: a second while nothing comes,
/// as GNU tail does, and less while they grow, for what is rotated away between two looks is lost.
package struct LookPause: Equatable {
  static let shortest: UInt64 = 10_000_000
  package static let longest: UInt64 = 1_000_000_000

  package private(set) var nanoseconds = shortest
  package init() {}

  package var milliseconds: Int32 { Int32(clamping: nanoseconds / 1_000_000) }

  /// The files have been looked at.
  package mutating func looked(foundNews: Bool) {
    nanoseconds = foundNews ? Self.shortest : min(nanoseconds * 2, Self.longest)
  }
}
