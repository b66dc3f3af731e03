import StrictJSON

/// A further command for a container that runs.
public struct ExecSpec: Sendable, Equatable {
  /// The program and its arguments.
  public var command: [String]
  /// `NAME=value`, added to the container's own.
  public var environment: [String] = []
  /// `user`, `uid`, `user:group`, `uid:gid`; empty for the container's own.
  public var user = ""
  /// Where it starts; empty for the container's own.
  public var workingDirectory = ""
  /// A terminal as standard input, output and error.
  public var tty = false
  /// With every capability.
  public var privileged = false
  /// Its input is connected.
  public var attachStandardInput = false
  /// Its output is connected.
  public var attachStandardOutput = true
  /// Its errors are connected.
  public var attachStandardError = true

  /// The command, with its output connected.
  public init(command: [String]) { self.command = command }

  var json: JSON {
    JSON(object: [
      ("Cmd", .list(command)), ("Env", .unlessEmpty(environment)), ("User", .unlessEmpty(user)),
      ("WorkingDir", .unlessEmpty(workingDirectory)), ("Tty", .ifTrue(tty)), ("Privileged", .ifTrue(privileged)),
      ("AttachStdin", .ifTrue(attachStandardInput)), ("AttachStdout", .ifTrue(attachStandardOutput)),
      ("AttachStderr", .ifTrue(attachStandardError)),
    ])
  }
}

/// What the engine knows of a further command (`GET /exec/{id}/json`).
public struct ExecDetails: Sendable, Equatable {
  /// Its id.
  public let id: ExecID
  /// The container that it runs in.
  public let container: ContainerID
  /// It has started and not ended.
  public let running: Bool
  /// 128 + n for signal n; `nil` while it has not ended.
  public let exitCode: Int64?
  /// Seen from the host; 0 when it has not started.
  public let pid: Int64

  init(_ fields: JSONFields) throws(DockerEngineError) {
    let text = try fields.requiredString("ID")
    guard let id = ExecID(text) else { throw fields.badID("ID", text) }
    self.id = id
    container = try fields.requiredContainerID("ContainerID")
    running = try fields.requiredBool("Running")
    exitCode = try fields.integer("ExitCode")
    pid = try fields.integer("Pid") ?? 0
  }
}
