import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// One stream between a pipe and files of the test's own.
@Suite struct LogPumpTests {
  private final class Stream {
    let directory: String
    let pump: LogPump
    private let pipe: DescriptorPair
    private let buffer = TransferBuffer(capacity: LogPump.chunk)

    init(maximumBytes: UInt64, backups: UInt32) throws {
      directory = "/tmp/aurora-pump-\(UInt64.random(in: 0 ... .max))"
      try makeDirectories(directory)
      pipe = try makePipe(nonBlocking: true)
      pump = try LogPump(
        pipe: pipe.first,
        file: SharedDescriptor(openFile(directory + "/stdout", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)),
        directory: SharedDescriptor(openFile(directory, O_RDONLY | O_DIRECTORY)), name: "stdout",
        maximumBytes: maximumBytes,
        backups: backups)
    }
    deinit { try? removeTree(directory) }

    func put(_ text: String) throws { try pipe.second.descriptor.writeAll(text.utf8) }

    func write(_ text: String) throws {
      try put(text)
      pump.drain(through: buffer, until: nil)
    }

    func turn() { pump.pump(through: buffer) }

    func file(_ name: String = "stdout") -> String? {
      (try? readFile("\(directory)/\(name)")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Where the file lies in the stream, and the offsets of its index.
    func index(_ name: String = "stdout") throws -> (position: UInt64?, offsets: [UInt64]) {
      let bytes = try readFile("\(directory)/\(LogIndexRecord.name(of: name))")
      let records = stride(from: 16, to: bytes.count, by: 16).compactMap {
        LogIndexRecord(decoding: bytes[$0..<($0 + 16)])
      }
      return (LogIndexRecord.position(inHeader: bytes.prefix(16)), records.map(\.offset))
    }

    func truncate(to size: Int64) throws {
      try LinuxKernel.truncate(try openFile(directory + "/stdout", O_WRONLY), to: size)
    }
  }

  private func lines(_ count: Int) -> String {
    String(repeating: String(repeating: "x", count: 99) + "\n", count: count)
  }

  @Test func aLogThatWasEmptiedGoesOnAtItsPlaceInTheStream() throws {
    let stream = try Stream(maximumBytes: 4096, backups: 1)
    try stream.write(lines(30))
    try stream.truncate(to: 0)
    try stream.write("after\n")
    #expect(stream.file() == "after\n")
    var index = try stream.index()
    #expect(index.position == 3000)
    #expect(index.offsets.allSatisfy { $0 < 6 } && !index.offsets.isEmpty)
    // Full when it is full, not when what was cut off would have filled it.
    try stream.write(lines(15))
    #expect(stream.file("stdout.1") == nil)
    try stream.write(lines(30))
    index = try stream.index()
    #expect(index.position == 3000 + UInt64(stream.file("stdout.1")?.utf8.count ?? 0))
  }

  @Test func aLogThatWasCutShortKeepsWhatIsLeftBeforeWhatComes() throws {
    let stream = try Stream(maximumBytes: 4096, backups: 1)
    try stream.write("one\ntwo\nthree\n")
    try stream.truncate(to: 8)
    CurrentProcess.pause(milliseconds: 2)
    try stream.write("four\n")
    #expect(stream.file() == "one\ntwo\nfour\n")
    let index = try stream.index()
    #expect(index.position == 6)
    #expect(index.offsets == [0, 8])
  }

  @Test func whatCannotBeRotatedGrowsUpToABoundAndThisIsSaid() throws {
    let stream = try Stream(maximumBytes: 65536, backups: 1)
    // In the place of the next file, and not to be removed as one.
    try makeDirectories(stream.directory + "/stdout.new")
    for _ in 0..<25 { try stream.write(lines(30)) }
    #expect(stream.file()?.utf8.count == 75000)
    let said = try #require(stream.pump.takeTrouble())
    #expect(said.contains("cannot be rotated"))
    try stream.write(lines(30))
    #expect(stream.pump.takeTrouble() == nil)

    for _ in 0..<45 { try stream.write(lines(30)) }
    #expect(stream.file()?.utf8.count == 3 * 65536)
    #expect(try #require(stream.pump.takeTrouble()).contains("being lost"))

    try removeTree(stream.directory + "/stdout.new")
    try stream.write("better\n" + lines(30))
    #expect(stream.file() == "better\n" + lines(30))
    #expect(stream.file("stdout.1")?.utf8.count == 3 * 65536)
    #expect(stream.pump.takeTrouble() == nil)
  }

  @Test func aTurnEndsWithARotation() throws {
    let stream = try Stream(maximumBytes: 1, backups: 100)
    try stream.put(lines(600))
    stream.turn()
    let after = (1...100).count { stream.file("stdout.\($0)") != nil }
    #expect((1...3).contains(after))
    for _ in 0..<100 { stream.turn() }
    let names = (1...100).map { "stdout.old.\($0)" } + (1...100).reversed().map { "stdout.\($0)" } + ["stdout"]
    #expect(names.compactMap { stream.file($0) }.joined() == lines(600))
  }

  /// What a rotation costs does not grow with the files that are kept.
  @Test func manyFilesAreRenamedOnceAndTheOldestGo() throws {
    let stream = try Stream(maximumBytes: 4096, backups: 30)
    // The second line is the first that ends beyond the limit.
    for number in 1...50 {
      for _ in 1...2 { try stream.write(String(repeating: "\(number % 10)", count: 4095) + "\n") }
    }
    try stream.write("last\n")
    for place in 1...LogFileNames.renamed {
      #expect(stream.file("stdout.\(place)")?.first == "\((51 - place) % 10)".first)
    }
    #expect(stream.file("stdout.\(LogFileNames.renamed + 1)") == nil)
    let names = try entries(of: stream.directory).map { String(decoding: $0.name, as: UTF8.self) }
    let old = names.filter { $0.hasPrefix("stdout.old.") && !$0.hasSuffix(".index") }
    #expect(Set(old) == Set((21...40).map { "stdout.old.\($0)" }))
    for number in 21...40 { #expect(stream.file("stdout.old.\(number)")?.first == "\(number % 10)".first) }
    #expect(try stream.index("stdout.old.40").position == 39 * 8192)
  }
}
