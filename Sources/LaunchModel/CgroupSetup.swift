/// A cgroup to make, with what is written into its files, in order.
package struct CgroupSetup: Sendable, Hashable, WireRecord {
  package struct Setting: Sendable, Hashable, WireRecord {
    package var file: String
    package var value: String
    /// A kernel may lack the file; then there is nothing to limit.
    package var mayBeAbsent: Bool

    package init(_ file: String, _ value: String, mayBeAbsent: Bool = false) {
      self.file = file
      self.value = value
      self.mayBeAbsent = mayBeAbsent
    }

    package static let blank = Setting("", "")
    package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
      try pass.field(&file)
      try pass.field(&value)
      try pass.field(&mayBeAbsent)
    }
  }

  package var directory: String
  package var settings: [Setting]
  /// Files that are empty in a new cgroup and get what the one above has.
  package var inherited: [String]
  /// Version 2: the controllers whose files it has, which the cgroups above have to hand down.
  package var controllers: [String] = []
  /// Version 2: which devices its processes may open and make, as instructions for the kernel; empty for all.
  package var deviceProgram: [UInt8] = []

  package init(
    directory: String, settings: [Setting], inherited: [String] = [], controllers: [String] = [],
    deviceProgram: [UInt8] = []
  ) {
    self.directory = directory
    self.settings = settings
    self.inherited = inherited
    self.controllers = controllers
    self.deviceProgram = deviceProgram
  }

  package static let blank = CgroupSetup(directory: "", settings: [])
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&directory)
    try pass.field(&settings)
    try pass.field(&inherited)
    try pass.field(later: &controllers)
    try pass.field(later: &deviceProgram)
  }
}

extension [CgroupSetup] {
  /// The list with each directory once, and everything that is to be written there.
  package var merged: [CgroupSetup] {
    reduce(into: []) { merged, setup in
      if let index = merged.firstIndex(where: { $0.directory.utf8.elementsEqual(setup.directory.utf8) }) {
        merged[index].settings += setup.settings
        merged[index].controllers += setup.controllers
        merged[index].deviceProgram += setup.deviceProgram
      } else {
        merged.append(setup)
      }
    }
  }
}
