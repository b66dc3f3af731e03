import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// The record of exits on a disk that is full for a while.
@Suite struct ExitFileTests {
  @Test func whatCouldNotBeWrittenComesFirstWhenThereIsRoom() throws {
    let directory = "/tmp/aurora-exits-\(UInt64.random(in: 0 ... .max))"
    try makeDirectories(directory)
    defer { try? removeTree(directory) }
    let records = (0..<3).map { ExitRecord(key: RunKey("p", $0), waitStatus: 0, bootTime: 1, wallTime: 2) }
    let shared = SharedDescriptor(try openFile("/dev/full", O_WRONLY))
    let file = ExitFile(shared)
    for record in records[..<2] {
      let error = #expect(throws: Errno.self) { try file.write(record.frame) }
      #expect(error?.code == ENOSPC)
    }
    #expect(throws: Errno.self) { try file.catchUp() }
    // The same descriptor, on a disk that has room.
    let disk = try openFile(directory + "/exits", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
    try Child.place(disk.rawValue, at: shared.rawValue)
    try file.write(records[2].frame)
    try file.catchUp()
    #expect(ExitRecord.records(in: try readFile(directory + "/exits")) == records)
  }
}
