/// A file of the host and where a copy of it goes.
package struct FileCopy: Sendable, Hashable, WireValue {
  package var from: String
  package var to: String

  package init(from: String, to: String) {
    self.from = from
    self.to = to
  }
  package init(from reader: inout WireReader) throws(WireError) {
    from = try reader.string()
    to = try reader.string()
  }
  package func write(to writer: inout WireWriter) {
    writer.put(from)
    writer.put(to)
  }
}

/// A directory, or an empty file, below the sandbox. Its parents are directories.
package struct SandboxEntry: Sendable, Hashable, WireValue {
  package var path: String
  package var isDirectory: Bool

  package init(_ path: String, isDirectory: Bool) {
    self.path = path
    self.isDirectory = isDirectory
  }
  package init(from reader: inout WireReader) throws(WireError) {
    path = try reader.string()
    isDirectory = try reader.bool()
  }
  package func write(to writer: inout WireWriter) {
    writer.put(path)
    writer.put(isDirectory)
  }
}

/// An isolator that a container goes without.
package struct LeftOut: Sendable, Hashable, WireValue {
  package var isolator: String
  package var reason: String

  package init(_ isolator: String, _ reason: String) {
    self.isolator = isolator
    self.reason = reason
  }
  package init(from reader: inout WireReader) throws(WireError) {
    isolator = try reader.string()
    reason = try reader.string()
  }
  package func write(to writer: inout WireWriter) {
    writer.put(isolator)
    writer.put(reason)
  }
}
