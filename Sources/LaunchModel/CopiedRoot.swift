/// A container's root that is a copy of its image's files, where overlayfs cannot stack them.
package struct CopiedRoot: Sendable, Hashable, WireRecord {
  /// On the host; the task's alone.
  package var directory: String
  /// What the image has of it, on the disk: that is not the task's to answer for. 0 in a plan of which nothing is made.
  package var bytes: UInt64
  /// Files and directories of the image.
  package var files: UInt64
  /// Why it was copied.
  package var reason: String

  package init(directory: String, bytes: UInt64 = 0, files: UInt64 = 0, reason: String) {
    self.directory = directory
    self.bytes = bytes
    self.files = files
    self.reason = reason
  }

  package static let blank = CopiedRoot(directory: "", reason: "")
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&directory)
    try pass.field(&bytes)
    try pass.field(&files)
    try pass.field(&reason)
  }
}

extension LaunchPlan {
  /// The copy that the container has for its root, when it has one.
  package var copiedRoot: CopiedRoot? {
    for case .copiedRoot(let copy) in steps { return copy }
    return nil
  }
}
