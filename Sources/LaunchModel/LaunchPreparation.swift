/// A file of the host and where a copy of it goes.
package struct FileCopy: Sendable, Hashable, WireRecord {
  package var from: String
  package var to: String

  package init(from: String, to: String) {
    self.from = from
    self.to = to
  }

  package static let blank = FileCopy(from: "", to: "")
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&from)
    try pass.field(&to)
  }
}

/// A directory, or an empty file, below the sandbox. Its parents are directories.
package struct SandboxEntry: Sendable, Hashable, WireRecord {
  package var path: String
  package var isDirectory: Bool

  package init(_ path: String, isDirectory: Bool) {
    self.path = path
    self.isDirectory = isDirectory
  }

  package static let blank = SandboxEntry("", isDirectory: false)
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&path)
    try pass.field(&isDirectory)
  }
}

/// An isolator that a container goes without.
package struct LeftOut: Sendable, Hashable, WireRecord {
  package var isolator: String
  package var reason: String

  package init(_ isolator: String, _ reason: String) {
    self.isolator = isolator
    self.reason = reason
  }

  package static let blank = LeftOut("", "")
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&isolator)
    try pass.field(&reason)
  }
}
