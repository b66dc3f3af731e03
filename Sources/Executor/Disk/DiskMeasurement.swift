import LaunchModel
import LinuxKernel
import TaskModel

/// What a task's files were found to take on the disk.
struct DiskMeasurement: WireValue, Equatable {
  /// A file, or a directory with everything in it.
  struct Item: WireValue, Equatable {
    /// Escaped, for people: `sandbox/core.123`; what is in the writable layer as the container sees it, `/tmp/x`.
    var path: String
    var bytes: UInt64

    init(path: String, bytes: UInt64) {
      self.path = path
      self.bytes = bytes
    }
    init(from reader: inout WireReader) throws(WireError) {
      path = try reader.string()
      bytes = try reader.integer()
    }
    func write(to writer: inout WireWriter) {
      writer.put(path)
      writer.put(bytes)
    }
  }

  var bytes: UInt64
  /// The paths that say most about where it went, largest first, at most three.
  var largest: [Item]
  /// A directory too deep to be entered: then `bytes` is less than there is.
  var deepest: String?

  init(bytes: UInt64, largest: [Item], deepest: String? = nil) {
    self.bytes = bytes
    self.largest = largest
    self.deepest = deepest
  }
  init(from reader: inout WireReader) throws(WireError) {
    bytes = try reader.integer()
    largest = try reader.values()
    deepest = try reader.optional { (reader) throws(WireError) in try reader.string() }
  }
  func write(to writer: inout WireWriter) {
    writer.put(bytes)
    writer.put(list: largest)
    writer.put(optional: deepest) { $1.put($0) }
  }

  /// What to say when it is over `limit`; `nil` when it is not. What cannot be measured is over it: nobody nests
  /// directories that deep but to hide something.
  func complaint(limit: UInt64) -> String? {
    if bytes > limit {
      let paths = largest.map { "\($0.path) \(Quantity.bytes($0.bytes))" }.joined(separator: ", ")
      return "disk limit exceeded: \(Quantity.bytes(limit)) limit, \(Quantity.bytes(bytes)) used"
        + (paths.isEmpty ? "" : ": " + paths)
    }
    return deepest.map {
      "disk limit exceeded: \(Quantity.bytes(limit)) limit, and what is used cannot be measured: "
        + "directories are nested too deep in \($0)"
    }
  }
}
