/// Every command, in the order of `--help`.
enum CommandTable {
  static let commands: [Command] = [
    RunCommand.command, ValidateCommand.command, PolicyCommand.command, PlanCommand.command, RenderCommand.command,
    SchemaCommand.command,
    SimulateCommand.command, PsCommand.command, StatusCommand.command, ExplainCommand.command, LogsCommand.command,
    StopCommand.stop, StopCommand.kill, RecoverCommand.command,
    SweepCommand.command,
    ImageCommand.command, ResolveCommand.command, DoctorCommand.command,
    VersionCommand.command,
  ]

  static var help: String {
    """
    aurora-executor \(Version.number): runs one task on this host, isolated, and says what happened

    usage: aurora-executor --task FILE [options]         the same as `run`
           aurora-executor COMMAND [options]

    commands:
    \(Console.table(commands.map { ["  " + $0.name, $0.summary] }))

    `aurora-executor COMMAND --help` says more about one.

    """
  }
}
