import LinuxKernel

/// The task's durable record of exits. A record that cannot be written whole is taken back: the ones after it must stay
/// readable.
final class ExitFile {
  private let file: SharedDescriptor

  init(_ file: SharedDescriptor) { self.file = file }

  func write(_ frame: [UInt8]) throws(Errno) {
    let size = try status(of: file.rawValue).size
    do throws(Errno) {
      try file.descriptor.writeAll(frame)
    } catch {
      try? truncate(file.descriptor, to: Int64(clamping: size))
      throw error
    }
  }
}
