import LinuxKernel
import StrictJSON
import Testing

@testable import Images

/// The table that every command reads: nothing may make it unreadable.
@Suite struct ReferenceTableTests {
  private let scratch: Scratch
  private let path: String

  init() throws {
    scratch = try Scratch()
    path = scratch.path + "/references.json"
  }

  private static func id(_ number: Int) -> Digest { SHA256.digest(of: Array("\(number)".utf8)) }

  @Test func keepsNamesInTheirOrder() throws {
    var table = try ReferenceTable(path)
    let names = try ["b", "a", "c:1"].map { try ImageReference($0) }
    for name in names { table.set(name, to: Self.id(1), by: .operator) }
    table.set(try ImageReference("other"), to: Self.id(2), by: .operator)
    try table.write(path)
    let read = try ReferenceTable(path)
    #expect(read.references(to: Self.id(1)) == names)
    #expect(read.id(of: try ImageReference("other")) == Self.id(2))
    var changed = read
    changed.set(names[1], to: Self.id(2), by: .operator)
    #expect(changed.references(to: Self.id(1)) == [names[0], names[2]])
    #expect(changed.id(of: names[1]) == Self.id(2))
    changed.removeAll(to: Self.id(2))
    #expect(changed.id(of: names[1]) == nil && changed.references(to: Self.id(2)).isEmpty)
  }

  /// Before the full form was what is checked, such a name ended every command of the host.
  @Test func anEntryThatIsNoneIsLeftOutAndSaid() throws {
    let long = "docker.io/library/" + String(repeating: "a", count: 248) + ":1"
    let good = ("docker.io/library/good:1", Self.id(1).description)
    let entries = [(long, Self.id(2).description), good, ("docker.io/x/y:1", "sha256:zz")].map {
      JSON(object: [("name", JSON($0.0)), ("id", JSON($0.1))])
    }
    let json = JSON(object: [("schema_version", 1), ("references", JSON(entries + [JSON("no object")]))])
    try writeFileAtomically(path, json.compactBytes)
    let table = try ReferenceTable(path)
    #expect(table.id(of: try ImageReference("good:1")) == Self.id(1))
    #expect(table.problems.count == 3)
    #expect(table.problems.first?.contains("longer than 255 bytes") == true)
    try table.write(path)
    #expect(try ReferenceTable(path).problems.isEmpty)
  }

  @Test func aTableThatWouldNotBeReadIsNotWritten() throws {
    var table = try ReferenceTable(path)
    table.set(try ImageReference("first"), to: Self.id(0), by: .operator)
    try table.write(path)
    let before = try readFile(path)
    let repository = String(repeating: "x", count: 240)
    for number in 0..<(ReferenceTable.maximumBytes / 300) {
      table.set(try ImageReference("\(repository)/\(number)"), to: Self.id(number), by: .operator)
    }
    let error = #expect(throws: ImageError.self) { try table.write(path) }
    #expect(error?.kind == .exhausted)
    #expect(error?.hint.contains("image gc") == true)
    #expect(try readFile(path) == before)
    #expect(try ReferenceTable(path).id(of: try ImageReference("first")) == Self.id(0))
  }

  /// Documents may name images they have pulled ten thousand times: operators' names stay, and those of other roles.
  @Test func whoGivesManyNamesTakesNoOthersRoom() throws {
    var table = try ReferenceTable(path)
    table.set(try ImageReference("first"), to: Self.id(0), by: .operator)
    table.set(try ImageReference("other"), to: Self.id(1), by: .role("www-data"))
    let repository = String(repeating: "x", count: 230)
    for number in 0..<(ReferenceTable.maximumBytes / 300) {
      table.set(try ImageReference("\(repository)/\(number)/y"), to: Self.id(number / 60), by: .role("nobody"))
    }
    try table.write(path)
    var read = try ReferenceTable(path)
    read.set(try ImageReference("last"), to: Self.id(-2), by: .operator)
    try read.write(path)
    read = try ReferenceTable(path)
    #expect(read.id(of: try ImageReference("first")) == Self.id(0))
    #expect(read.id(of: try ImageReference("other")) == Self.id(1))
    #expect(read.id(of: try ImageReference("last")) == Self.id(-2))
  }

  /// Sixty-four documents took the name away that an operator had given an image; the next task asked a registry for it.
  @Test func pullsTakeNoNameAway() throws {
    var table = try ReferenceTable(path)
    table.set(try ImageReference("base:1"), to: Self.id(1), by: .operator)
    for tag in ["12", "latest"] {
      table.set(try ImageReference("debian:\(tag)"), to: Self.id(1), by: .role("www-data"))
    }
    // It is the operator's still.
    table.set(try ImageReference("base:1"), to: Self.id(1), by: .role("nobody"))
    for number in 0..<100 { table.set(try ImageReference("x.io/y/z:t\(number)"), to: Self.id(1), by: .role("nobody")) }
    // What was read anew as well.
    try table.write(path)
    table = try ReferenceTable(path)
    for number in 0..<100 { table.set(try ImageReference("n\(number).io/z"), to: Self.id(1), by: .role("nobody")) }
    for name in ["base:1", "debian:12", "debian", "n99.io/z"] {
      #expect(table.id(of: try ImageReference(name)) == Self.id(1), "\(name)")
    }
    #expect(table.id(of: try ImageReference("n0.io/z")) == nil)
    #expect(table.references(to: Self.id(1)).count <= 2 * ReferenceTable.maximumNames)
    table.set(try ImageReference("new"), to: Self.id(1), by: .role("daemon"))
    #expect(table.id(of: try ImageReference("new")) == Self.id(1))
  }

  @Test func anImageKeepsTheNamesThatItGotLast() throws {
    var table = try ReferenceTable(path)
    for number in 0...ReferenceTable.maximumNames {
      table.set(try ImageReference("a:\(number)"), to: Self.id(1), by: .operator)
    }
    #expect(table.references(to: Self.id(1)).count == ReferenceTable.maximumNames)
    #expect(table.id(of: try ImageReference("a:0")) == nil)
    #expect(table.id(of: try ImageReference("a:\(ReferenceTable.maximumNames)")) == Self.id(1))
  }

  @Test func manyNamesTakeNoTime() throws {
    var table = try ReferenceTable(path)
    let begun = Clock.now
    for number in 0..<20_000 { table.set(try ImageReference("a:\(number)"), to: Self.id(number / 50), by: .operator) }
    // Once for each name and each other: minutes.
    #expect(Clock.now - begun < 20_000_000_000)
  }

  @Test func whatIsNoTableIsSaidWithARemedy() throws {
    try writeFileAtomically(path, Array("{".utf8))
    let error = #expect(throws: ImageError.self) { _ = try ReferenceTable(path) }
    #expect(error?.hint.contains("move the file away") == true)
  }
}
