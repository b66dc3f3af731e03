import StrictJSON

/// What can be asked of the executor of a task, over `executor.sock` in the task's run directory.
///
/// One JSON object a line, both ways. A request has `version` and `request`, and `tasks` (`MAJOR:MINOR:INODE` of the work
/// directory's `tasks`) where it is meant for a task of one work directory alone; a reply `version`, `ok`, and either what was
/// asked for or `error`. Members that a reader does not know are passed over, so that they can be added.
package enum ControlRequest: Equatable {
  /// End the task as SIGTERM does: processes are asked, final ones run.
  case stop
  /// End it at once, as a second SIGINT does.
  case kill
  /// Where the task stands.
  case status
  /// End the run of a process and start another, which counts as no failure.
  case restart(process: String)
  /// A line for every status update and every change of a run from now on, until the connection is closed.
  case subscribe

  /// The only version there is.
  package static let version: Int64 = 1
  /// A request is no longer than this, and a reply that nobody takes neither.
  static let largestLine = 65_536

  /// - Parameter tasks: whose task is meant.
  package func json(tasks: String?) -> JSON {
    var members: [(String, JSON?)] = [("version", JSON(ControlRequest.version)), ("tasks", tasks.map { JSON($0) })]
    switch self {
    case .stop: members.append(("request", "stop"))
    case .kill: members.append(("request", "kill"))
    case .status: members.append(("request", "status"))
    case .restart(let process): members += [("request", "restart"), ("process", JSON(process))]
    case .subscribe: members.append(("request", "subscribe"))
    }
    return JSON(object: members)
  }

  /// Why a line is no request, for the reply.
  package struct Problem: Error, Equatable { let text: String }

  /// - Parameter tasks: whose task it is that the request has come to.
  package init(line: [UInt8], tasks: String?) throws(Problem) {
    guard let json = try? JSON(parsing: line), json.members != nil else {
      throw Problem(text: "a JSON object is needed")
    }
    guard let version = json["version"]?.integer, version == ControlRequest.version else {
      throw Problem(text: "version \(ControlRequest.version) of the protocol is spoken here")
    }
    if let meant = json["tasks"], meant.string == nil {
      throw Problem(text: "\"tasks\" is MAJOR:MINOR:INODE, a string")
    }
    if let meant = json["tasks"]?.string, let tasks, meant != tasks {
      throw Problem(text: "the task that runs here is of another work directory, whose `tasks` is \(tasks)")
    }
    switch json["request"]?.string {
    case "stop": self = .stop
    case "kill": self = .kill
    case "status": self = .status
    case "subscribe": self = .subscribe
    case "restart":
      guard let process = json["process"]?.string else { throw Problem(text: "which process? \"process\" is missing") }
      self = .restart(process: process)
    case let other:
      throw Problem(
        text: "\"request\" is stop, kill, status, restart or subscribe, not \((other ?? "").quotedForMessage)")
    }
  }
}

/// The answer to a request.
enum ControlReply {
  case done([(String, JSON?)])
  case refused(String)

  var json: JSON {
    switch self {
    case .done(let members): JSON(object: [("version", JSON(ControlRequest.version)), ("ok", true)] + members)
    case .refused(let why):
      JSON(object: [("version", JSON(ControlRequest.version)), ("ok", false), ("error", JSON(why))])
    }
  }
}
