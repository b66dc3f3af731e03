import ContainerInit
import DiskUsage
import Images
import LinuxKernel
import Registry
import TaskModel
import TaskStore

@main
enum Main {
  static func main() {
    StandardStream.ensureOpen()
    let words = Array(CurrentProcess.arguments.dropFirst())
    // The hidden modes of the one binary, before anything else is set up.
    switch words.first {
    case ContainerInit.command: ContainerInit.main(reception: words.dropFirst().first)
    case DiskWorker.mode: DiskWorker.main(Array(words.dropFirst()))
    case UnpackWorker.mode: UnpackWorker.main(CurrentProcess.arguments)
    case FetchWorker.mode: FetchWorker.main(Array(words.dropFirst()))
    default: break
    }
    CurrentProcess.ignoreBrokenPipes()
    // Modes of what is made are said where it is made; whoever called us shall not have a say in them.
    Child.setFileCreationMask(0o022)
    DescriptorLimit.raise()
    let code: ExitCode
    do throws(ExecutorFailure) {
      code = checked(try run(words))
    } catch {
      Console.error(error)
      OperatorLog.note(.refused(error.kind))
      code = ExitCode(error)
    }
    let lost = OperatorLog.lostAtEnd
    if lost > 0 { Console.warning("the log of --log has not taken \(lost) \(lost == 1 ? "event" : "events")") }
    Child.exit(code.rawValue)
  }

  /// Nearly everything that is asked of the kernel about processes, mounts and cgroups is asked there.
  private static func requireProc() throws(ExecutorFailure) {
    guard !CurrentProcess.hasProc else { return }
    throw ExecutorFailure(
      .configuration,
      "/proc does not show this process: there is no proc file system, or that of another pid namespace",
      hint: "`mount -t proc proc /proc` mounts one; for a chroot, at DIR/proc before it is entered")
  }

  /// Output that was lost is no success.
  private static func checked(_ code: ExitCode) -> ExitCode {
    guard code == .finished, let error = StandardStream.outputFailure else { return code }
    Console.note("error: cannot write to standard output: \(error.explanation)")
    return .outputFailed
  }

  private static func run(_ words: [String]) throws(ExecutorFailure) -> ExitCode {
    guard let first = words.first else {
      Console.note(CommandTable.help)
      return .usage
    }
    if ["--help", "-h", "help"].contains(first) {
      Console.raw(Array(CommandTable.help.utf8))
      return .finished
    }
    if first == "--version" { return try run(["version"] + words.dropFirst()) }
    // Options without a command are those of `run`.
    if first.utf8.first == UInt8(ascii: "-") { return try run(["run"] + words) }
    guard let command = CommandTable.commands.first(where: { $0.name == first }) else {
      let near = NearestKey.find(first, among: CommandTable.commands.map(\.name))
      throw ExecutorFailure(
        .usage, "there is no command \(first)",
        hint: near.map { "did you mean \($0)?" } ?? "`aurora-executor --help` lists them")
    }
    let arguments = Array(words.dropFirst())
    if arguments.prefix(while: { $0 != "--" }).contains(where: { $0 == "--help" || $0 == "-h" }) {
      Console.raw(Array(command.help.utf8))
      return .finished
    }
    let parsed = try Arguments(arguments, options: command.options, command: command.name)
    if command.needsProc { try requireProc() }
    if let log = parsed.last(CommonOptions.log.name) { try OperatorLog.begin(log) }
    return try command.run(
      try parsed.withResolvedDirectories(
        believed: command.believesDirectories ? command.options : []))
  }
}
