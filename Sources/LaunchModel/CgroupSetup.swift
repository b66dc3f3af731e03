/// A cgroup to make, with what is written into its files, in order.
package struct CgroupSetup: Sendable, Hashable, WireValue {
  package struct Setting: Sendable, Hashable, WireValue {
    package var file: String
    package var value: String
    /// A kernel may lack the file; then there is nothing to limit.
    package var mayBeAbsent: Bool

    package init(_ file: String, _ value: String, mayBeAbsent: Bool = false) {
      self.file = file
      self.value = value
      self.mayBeAbsent = mayBeAbsent
    }
    package init(from reader: inout WireReader) throws(WireError) {
      file = try reader.string()
      value = try reader.string()
      mayBeAbsent = try reader.bool()
    }
    package func write(to writer: inout WireWriter) {
      writer.put(file)
      writer.put(value)
      writer.put(mayBeAbsent)
    }
  }

  package var directory: String
  package var settings: [Setting]
  /// Files that are empty in a new cgroup and get what the one above has.
  package var inherited: [String]

  package init(directory: String, settings: [Setting], inherited: [String] = []) {
    self.directory = directory
    self.settings = settings
    self.inherited = inherited
  }
  package init(from reader: inout WireReader) throws(WireError) {
    directory = try reader.string()
    settings = try reader.values()
    inherited = try reader.strings()
  }
  package func write(to writer: inout WireWriter) {
    writer.put(directory)
    writer.put(list: settings)
    writer.put(list: inherited)
  }
}

extension [CgroupSetup] {
  /// The list with each directory once, and everything that is to be written there.
  package var merged: [CgroupSetup] {
    reduce(into: []) { merged, setup in
      if let index = merged.firstIndex(where: { $0.directory.utf8.elementsEqual(setup.directory.utf8) }) {
        merged[index].settings += setup.settings
      } else {
        merged.append(setup)
      }
    }
  }
}
