import LinuxKernel

/// Names in one buffer: a task may have millions of directories beside each other, and an array for each would take more
/// memory than the name.
struct NameStack {
  private var bytes: [UInt8] = []

  mutating func push(_ name: RawPath) {
    // A name holds no NUL.
    bytes.append(0)
    bytes += name.bytes
  }

  mutating func pop() -> [UInt8]? {
    guard let start = bytes.lastIndex(of: 0) else { return nil }
    let name = Array(bytes[(start + 1)...])
    bytes.removeSubrange(start...)
    return name
  }
}
