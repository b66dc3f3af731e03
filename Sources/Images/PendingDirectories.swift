import LinuxKernel

/// Modes and times of directories, kept until nothing more is made in them.
///
/// Names lie in one array: a layer may hold a million directories, and a worker's memory is bounded.
struct PendingDirectories {
  private struct Record {
    let nameStart: Int
    let nameLength: Int
    let inode: UInt64
    let mode: UInt32
    let modified: FileTime
  }

  private var names: [UInt8] = []
  private var records: [Record] = []

  init() {}

  mutating func add(_ path: [UInt8], inode: UInt64, _ entry: TarEntry, budgets: Budgets) throws(ImageError) {
    guard names.count + path.count <= budgets.directoryNameBytes else {
      throw .invalid("names of directories of more than \(budgets.directoryNameBytes) bytes together")
    }
    records.append(
      Record(
        nameStart: names.count, nameLength: path.count, inode: inode, mode: entry.mode, modified: entry.modified))
    names += path
  }

  /// Sets what was kept, in the order of the archive, so that the last entry of a directory wins.
  ///
  /// Each directory is opened again by its name, inside the layer, without following a link at its end, and is changed
  /// only when it is the directory that its entry made: a later entry may have put something else there (CVE-2021-32760
  /// changed the modes of files outside in this way).
  func settle(in tree: LayerTree) throws(ImageError) {
    for record in records {
      let path = Array(names[record.nameStart..<(record.nameStart + record.nameLength)])
      guard let directory = try tree.reopen(path, inode: record.inode) else { continue }
      do throws(Errno) {
        try changeMode(of: directory.rawValue, to: record.mode)
        try setTimes(of: directory.rawValue, to: record.modified)
      } catch {
        throw ImageError(error, doing: "set mode and times").at("entry \(printable(path))")
      }
    }
  }
}
