import StrictJSON

extension DockerEngine {
  /// Prepares a further command in a running container (`POST /containers/{id}/exec`).
  /// - Throws: status 409 when the container is paused or does not run.
  public func createExec(in id: ContainerID, _ spec: ExecSpec) throws(DockerEngineError) -> ExecID {
    try perform(
      request("POST", "/containers/\(id.text)/exec", "prepare a command in container \(id.short)").with(spec.json),
      decode: object { (fields) throws(DockerEngineError) in
        let text = try fields.requiredString("Id")
        guard let exec = ExecID(text) else { throw fields.badID("Id", text) }
        return exec
      })
  }

  /// Starts a prepared command and connects to it (`POST /exec/{id}/start`).
  /// - Parameter tty: as it was prepared.
  public func startExec(_ id: ExecID, tty: Bool) throws(DockerEngineError) -> AttachedStream {
    var request = try request("POST", "/exec/\(id.text)/start", "start a command", deadlines: streaming(idle: nil))
      .with(JSON(object: [("Detach", false), ("Tty", JSON(tty))]))
    request.upgrade = "tcp"
    return AttachedStream(try stream(request, decode: outputDecoder(tty: tty)), idle: configuration.deadlines.idle)
  }

  /// Starts a prepared command without connecting to it.
  public func startExecDetached(_ id: ExecID, tty: Bool = false) throws(DockerEngineError) {
    try perform(
      request("POST", "/exec/\(id.text)/start", "start a command").with(
        JSON(object: [("Detach", true), ("Tty", JSON(tty))])))
  }

  /// What became of a command (`GET /exec/{id}/json`).
  public func inspectExec(_ id: ExecID) throws(DockerEngineError) -> ExecDetails {
    try perform(request("GET", "/exec/\(id.text)/json", "inspect a command"), decode: object(ExecDetails.init))
  }

  /// Tells the terminal of a command its size (`POST /exec/{id}/resize`).
  public func resizeExec(_ id: ExecID, rows: Int, columns: Int) throws(DockerEngineError) {
    try perform(
      request(
        "POST", "/exec/\(id.text)/resize", query: [("h", String(rows)), ("w", String(columns))],
        "resize the terminal of a command"))
  }
}
