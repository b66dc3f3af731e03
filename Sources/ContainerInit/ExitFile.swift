import LinuxKernel

/// The task's durable record of exits. A record that cannot be written whole is taken back: the ones after it must stay
/// readable. It is tried again before the next one.
final class ExitFile {
  private let file: SharedDescriptor
  private var waiting: [[UInt8]] = []

  init(_ file: SharedDescriptor) { self.file = file }

  func write(_ frame: [UInt8]) throws(Errno) {
    waiting.append(frame)
    try catchUp()
  }

  /// Writes what could not be written before.
  func catchUp() throws(Errno) {
    while let next = waiting.first {
      let size = try status(of: file.rawValue).size
      do throws(Errno) {
        try file.descriptor.writeAll(next)
      } catch {
        try? truncate(file.descriptor, to: Int64(clamping: size))
        throw error
      }
      waiting.removeFirst()
    }
  }
}
