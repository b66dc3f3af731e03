import CLinux

/// The two ends of a pipe, or two connected sockets.
package struct DescriptorPair: Sendable {
  package let first: SharedDescriptor
  package let second: SharedDescriptor

  init(_ numbers: [Int32]) {
    first = SharedDescriptor(FileDescriptor(owning: numbers[0]))
    second = SharedDescriptor(FileDescriptor(owning: numbers[1]))
  }
}

/// A pipe: `first` is read, `second` is written; close-on-exec (pipe2(2)).
package func makePipe(nonBlocking: Bool = false) throws(Errno) -> DescriptorPair {
  var numbers: [Int32] = [-1, -1]
  try check("pipe2") { pipe2(&numbers, O_CLOEXEC | (nonBlocking ? O_NONBLOCK : 0)) }
  return DescriptorPair(numbers)
}

/// A file in memory that cannot be changed any more (memfd_create(2), `F_ADD_SEALS`).
package func sealedMemory(_ name: String, _ bytes: [UInt8]) throws(Errno) -> FileDescriptor {
  let number = try name.withPath { (text) throws(Errno) -> Int32 in
    try retrying("memfd_create") { ax_memfd_create(text, UInt32(MFD_CLOEXEC) | UInt32(MFD_ALLOW_SEALING)) }
  }
  let file = FileDescriptor(owning: number)
  try file.writeAll(bytes)
  let seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
  try check("fcntl") { ax_fcntl(number, F_ADD_SEALS, Int(seals)) }
  try check("lseek") { lseek(number, 0, SEEK_SET) == -1 ? -1 : 0 }
  return file
}
