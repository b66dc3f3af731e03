import Glibc
import LinuxKernel
import TaskModel
import TaskStore

/// Reads a task document and says what is wrong with it, each fault with its place.
struct DocumentLoader {
  /// As the messages name it.
  let name: String
  let bytes: [UInt8]

  /// `-` is standard input.
  init(_ path: String) throws(ExecutorFailure) {
    name = path == "-" ? "standard input" : path
    do throws(Errno) {
      bytes = path == "-" ? try StandardStream.readInput(limit: 5 << 20) : try readFile(path, limit: 5 << 20)
    } catch {
      switch error.code {
      case ENOENT: throw ExecutorFailure(.notFound, "\(path): there is no such file")
      case EFBIG: throw ExecutorFailure(.invalidDocument, "\(path): larger than 4 MiB, the limit of a task document")
      case EISDIR: throw ExecutorFailure(.notFound, "\(path) is a directory, not a task document")
      default: throw ExecutorFailure(.notFound, "cannot read \(path): \(error)")
      }
    }
  }

  init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }

  /// The document; faults are printed. Warnings too, unless `strict` makes errors of unknown keys.
  func document(strict: Bool) throws(ExecutorFailure) -> TaskDocument {
    let (document, diagnostics) = TaskDocument.decode(bytes)
    let fatal = report(diagnostics, strict: strict)
    guard let document, fatal == 0 else { throw invalid(fatal) }
    return document
  }

  /// The task with its templates bound; faults are printed.
  func task(_ document: TaskDocument, _ bindings: Bindings) throws(ExecutorFailure) -> TaskSpecification {
    let (task, diagnostics) = document.bind(bindings)
    let fatal = report(diagnostics, strict: false)
    guard let task, fatal == 0 else { throw invalid(fatal) }
    return task
  }

  func invalid(_ count: Int) -> ExecutorFailure {
    ExecutorFailure(.invalidDocument, "\(name) is not a valid task document: \(count) error\(count == 1 ? "" : "s")")
  }

  /// Prints the diagnostics and returns how many of them are errors.
  func report(_ diagnostics: [Diagnostic], strict: Bool) -> Int {
    var fatal = 0
    for diagnostic in diagnostics {
      let isError = diagnostic.severity == .error || (strict && diagnostic.kind == .unknownKey)
      if isError { fatal += 1 }
      Console.note((isError ? "" : "warning: ") + "\(name):\(diagnostic.description)")
    }
    return fatal
  }
}
