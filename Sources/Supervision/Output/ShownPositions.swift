import Glibc
import LaunchModel
import LinuxKernel
import TaskStore

/// How much of a run's two streams was shown, kept in a file for an executor that goes on with the task.
struct ShownPositions {
  private let path: String
  private let runDirectory: HeldRunDirectory
  private let file: SharedDescriptor?
  private let begun: [UInt64?]

  init(_ paths: TaskPaths, _ runDirectory: HeldRunDirectory, _ process: String, _ run: Int) {
    path = paths.shown(process, run)
    self.runDirectory = runDirectory
    file = bestEffort("open \(path)") { [path] in
      try ShownPositions.open(path, runDirectory, "\(paths.shown)/\(process)")
    }
    let bytes = (try? file?.descriptor.read(upTo: 16, at: 0)) ?? []
    if bytes.count == 16 {
      var reader = WireReader(bytes)
      begun = [try? reader.next(UInt64.self), try? reader.next(UInt64.self)]
    } else {
      begun = [nil, nil]
      write([UInt8](repeating: 0, count: 16), at: 0)
    }
  }

  /// What an executor before this one has shown of a stream; nil when none has begun to.
  func position(_ stream: Int) -> UInt64? { begun[stream] }

  func note(_ position: UInt64, _ stream: Int) {
    var writer = WireWriter()
    writer.put(position)
    write(writer.bytes, at: Int64(stream * 8))
  }

  private func write(_ bytes: [UInt8], at offset: Int64) {
    guard let file else { return }
    bestEffort("write down in \(path) what was shown") { try file.descriptor.writeAll(bytes, at: offset) }
  }

  func remove() {
    guard runDirectory.isInPlace else { return }
    bestEffort("remove \(path)", tolerating: ENOENT) { try removeFile(path) }
  }

  private static func open(
    _ path: String, _ runDirectory: HeldRunDirectory, _ directory: String
  ) throws(Errno) -> SharedDescriptor {
    try runDirectory.require()
    try makeDirectories(directory, mode: 0o700)
    return SharedDescriptor(try openFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600))
  }
}
