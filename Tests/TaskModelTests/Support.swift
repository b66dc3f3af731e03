import StrictJSON
import Testing

@testable import TaskModel

/// A whole second of the machine's clock.
let second: UInt64 = 1_000_000_000

/// Reads a document and fails the test when it is not accepted.
func document(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> TaskDocument {
  let (document, diagnostics) = TaskDocument.decode(Array(text.utf8))
  #expect(diagnostics.filter { $0.severity == .error } == [], sourceLocation: sourceLocation)
  return try #require(document, sourceLocation: sourceLocation)
}

/// What is said of a document, one line each.
func faults(_ text: String) -> [String] {
  TaskDocument.decode(Array(text.utf8)).diagnostics.map(\.description)
}

let someBindings = Bindings(taskID: "t-1", role: "www-data", hostname: "host.example")

/// Reads and binds a document and fails the test when that does not go well.
func bound(
  _ text: String, _ bindings: Bindings = someBindings, sourceLocation: SourceLocation = #_sourceLocation
) throws -> TaskSpecification {
  let (task, diagnostics) = try document(text, sourceLocation: sourceLocation).bind(bindings)
  #expect(diagnostics == [], sourceLocation: sourceLocation)
  return try #require(task, sourceLocation: sourceLocation)
}

/// What is said when a document is bound.
func bindingFaults(_ text: String, _ bindings: Bindings = someBindings) throws -> [String] {
  try document(text).bind(bindings).diagnostics.map(\.description)
}
