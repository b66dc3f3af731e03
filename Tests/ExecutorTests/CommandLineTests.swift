import LinuxKernel
import Testing

@testable import Executor
@testable import TaskStore

@Suite struct CommandLineTests {
  private let options = [
    Option("--task", value: "FILE", "t"), Option("--port", short: "-P", value: "NAME:PORT", isRepeatable: true, "p"),
    Option("--rm", "r"),
  ]

  private func parse(_ words: String...) throws -> Arguments {
    try Arguments(words, options: options, command: "run")
  }

  @Test func bothFormsOfAValueAreTaken() throws {
    let arguments = try parse("--task=a=b", "-P", "x:1", "--port", "y:2", "--rm", "op", "--", "--rest")
    #expect(arguments.last("--task") == "a=b")
    #expect(arguments.all("--port") == ["x:1", "y:2"])
    #expect(arguments.has("--rm"))
    #expect(arguments.operands == ["op", "--rest"])
  }

  @Test(arguments: [
    (["--tsk", "x"], "did you mean --task?"), (["--task"], "--task needs a value"), (["--rm=1"], "--rm takes no value"),
    (["--task", "a", "--task", "b"], "--task is given twice"),
  ])
  func mistakesAreNamed(words: [String], text: String) {
    let failure = #expect(throws: ExecutorFailure.self) { try Arguments(words, options: options, command: "run") }
    #expect(failure?.description.contains(text) == true)
    #expect(failure?.kind == .usage)
  }

  @Test func taskIDsBecomeFileNames() {
    for id in ["a", "hello-20261122-101500-3f9a2c", String(repeating: "x", count: 128)] {
      #expect(TaskPaths.isValidID(id))
    }
    for id in ["", "..", ".a", "-a", "a/b", "a\0b", "a b", "é", String(repeating: "x", count: 129)] {
      #expect(!TaskPaths.isValidID(id))
    }
    for name in ["web", "../x", "ä ö", "", "-rf"] { #expect(TaskPaths.isValidID(TaskPaths.newID(name: name))) }
  }

  @Test func everyCommandHasHelpThatNamesItsOptions() {
    for command in CommandTable.commands {
      for option in command.options where !option.isHidden { #expect(command.help.contains(option.name)) }
      #expect(CommandTable.help.contains(command.name))
    }
  }

  @Test func theReadmeNamesEveryCommand() throws {
    let root = #filePath.utf8.split(separator: UInt8(ascii: "/")).dropLast(3).map {
      String(decoding: $0, as: UTF8.self)
    }
    let text = String(
      decoding: try readFile("/" + root.joined(separator: "/") + "/README.md", limit: 1 << 20), as: UTF8.self)
    let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `") }.joined()
    for command in CommandTable.commands { #expect(rows.contains("`\(command.name)"), "\(command.name)") }
  }

  @Test func bothDirectoriesAreResolved() throws {
    let top = "/tmp/aurora-command-line-\(UInt64.random(in: 0 ... .max))"
    try makeDirectories(top + "/real")
    defer { try? removeTree(top) }
    try makeSymbolicLink(top + "/link", to: "real")
    let arguments = try Arguments(
      ["--work-dir=\(top)/link//", "--run-dir", "\(top)/./link/run"], options: CommonOptions.directories,
      command: "run"
    ).withResolvedDirectories(believed: [])
    #expect(arguments.workDirectory == top + "/real")
    #expect(arguments.runDirectory == top + "/real/run")
    #expect(arguments.all("--work-dir") == [top + "/real"])
  }
}
