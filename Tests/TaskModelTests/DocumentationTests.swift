import Glibc
import StrictJSON
import Testing

@testable import TaskModel

/// That examples and documentation say what is so.
@Suite struct DocumentationTests {
  /// A file of the repository.
  private func read(_ path: String) throws -> String {
    var root = #filePath.utf8.split(separator: UInt8(ascii: "/")).map { String($0) ?? "" }
    root.removeLast(3)
    let file = try #require(fopen("/" + (root + [path]).joined(separator: "/"), "r"), "cannot open \(path)")
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test(arguments: ["hello_docker_image", "hello_host", "pipeline"])
  func examplesAreWithoutFault(name: String) throws {
    let text = try read("examples/\(name).json")
    #expect(faults(text) == [])
    let task = try bound(text)
    #expect(try simulate(task).verdict?.state == .finished)
  }

  @Test func thePipelineRetriesAndEndsItsSideProcesses() throws {
    let result = try simulate(
      try bound(read("examples/pipeline.json")), "convert: exit 1 @1s; convert: exit 0; note: runs")
    #expect(result.verdict?.state == .finished)
    #expect(result.states(of: "convert") == [.failed, .success])
    #expect(result.states(of: "note") == [.killed])
    #expect(result.states(of: "cleanup") == [.success])
  }

  /// The tables of `docs/task-document.md` are the tables of the code.
  @Test func everyFieldIsDocumented() throws {
    let page = try read("docs/task-document.md")
    for record in Self.records {
      let table = Self.table(record)
      #expect(page.contains(table), "the page should hold this table:\n\n\(table)\n")
    }
  }

  /// The examples in the documentation are documents.
  @Test func examplesOfTheDocumentationAreWithoutFault() throws {
    let page = try read("docs/task-document.md")
    var examples = 0
    for block in page.split(separator: "```json\n").dropFirst() {
      let text = try #require(block.split(separator: "```").first)
      #expect(faults(String(text)) == [])
      examples += 1
    }
    #expect(examples >= 3)
  }

  static let records: [RecordType] = {
    var found: [RecordType] = []
    func visit(_ type: FieldType) {
      switch type {
      case .list(let element, _), .map(let element): visit(element)
      case .record(let record):
        guard !found.contains(where: { $0 === record }) else { return }
        found.append(record)
        record.fields.filter { !$0.isIgnored }.forEach { visit($0.type) }
      case .variants(let variants): variants.options.forEach { visit(.record($0.record)) }
      default: break
      }
    }
    for record in [TaskFields.table.record, JobFields.record, InstanceFields.record] { visit(.record(record)) }
    return found
  }()

  static func table(_ record: RecordType) -> String {
    var lines = ["| Field | Type | Default | Meaning |", "|---|---|---|---|"]
    for field in record.fields where !field.isIgnored {
      let standard = field.isRequired ? "required" : field.standard.map { "`\($0.compact)`" } ?? ""
      lines.append("| `\(field.name)` | \(name(of: field.type)) | \(standard) | \(field.note) |")
    }
    return lines.joined(separator: "\n")
  }

  private static func name(of type: FieldType) -> String {
    switch type {
    case .text: "string"
    case .flag: "boolean"
    case .integer: "integer"
    case .number: "number"
    case .choice(let words): words.count > 6 ? "one of a list" : words.map { "`\($0)`" }.joined(separator: " ")
    case .signal: "signal"
    case .list(let element, _): "list of \(name(of: element))"
    case .map(let element): "map of \(name(of: element))"
    case .names(_, let words): "names, or map to \(name(of: .choice(words)))"
    case .record(let record): "[\(record.name)](#\(anchor(record.name)))"
    case .variants(let variants): "[\(variants.name)](#\(anchor(variants.name)))"
    case .kept: "anything"
    }
  }

  private static func anchor(_ name: String) -> String { name.lowercased() }
}
