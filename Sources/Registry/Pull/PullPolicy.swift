/// When an image is fetched from its registry (`--pull`).
package enum PullPolicy: String, Sendable, CaseIterable {
  /// When the store does not have it.
  case missing
  /// Before every run, as far as the name means another image by now.
  case always
  /// What the store does not have is not there.
  case never
}
