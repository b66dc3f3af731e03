import HTTP1

extension RunOptionTable {
  /// What runs, and as whom.
  static let processes: [Option] = [
    Option(
      "entrypoint", [],
      .single { (state, value) throws(RunOptionProblem) in
        // Docker's own way to take the image's entrypoint away is an empty one.
        if value.utf8.contains(0) { throw .value(value, "a program") }
        state.request.spec.entrypoint = [value]
      }),
    Option(
      "env", ["e"],
      .repeatable { (state, value) throws(RunOptionProblem) in
        // Docker's client fills a name without a value from its own environment; here it takes the variable away.
        guard !RunOptionValue.cut(value, "=").name.isEmpty, !value.utf8.contains(0) else {
          throw .value(value, "NAME=value")
        }
        state.variables.append(value)
      }),
    Option(
      "env-file", [],
      .repeatable { (state, value) throws(RunOptionProblem) in
        state.fileVariables += try RunOptionValue.assignments(try state.content(of: value))
      }),
    Option("group-add", [], list(\.hostConfig.groups)),
    Option("hostname", ["h"], text(\.spec.hostname)),
    Option("domainname", [], text(\.spec.domainName)),
    Option(
      "init", [],
      .single { (state, value) throws(RunOptionProblem) in
        state.request.hostConfig.initProcess = try RunOptionValue.bool(value)
      }),
    Option(
      "label", ["l"],
      .repeatable { (state, value) throws(RunOptionProblem) in
        let (name, text) = try label(value)
        state.labels[name] = text
      }),
    Option(
      "label-file", [],
      .repeatable { (state, value) throws(RunOptionProblem) in
        for line in try RunOptionValue.assignments(try state.content(of: value)) {
          let (name, text) = try label(line)
          state.fileLabels[name] = text
        }
      }),
    Option("annotation", [], map(\.hostConfig.annotations)),
    Option("platform", [], text(\.platform)),
    Option("runtime", [], text(\.hostConfig.runtime)),
    Option("stop-signal", [], text(\.spec.stopSignal)),
    Option("stop-timeout", [], number(\.spec.stopTimeout, -1...Int64(Int32.max))),
    Option("tty", ["t"], flag(\.spec.tty)),
    Option("user", ["u"], text(\.spec.user)),
    Option("workdir", ["w"], text(\.spec.workingDirectory)),
    Option(
      "health-cmd", [],
      health { (check, value) throws(RunOptionProblem) in
        check.test = ["CMD-SHELL", try RunOptionValue.text(value, "a command line")]
      }),
    Option(
      "health-interval", [],
      health { (check, value) throws(RunOptionProblem) in check.interval = try RunOptionValue.duration(value) }),
    Option(
      "health-retries", [],
      health { (check, value) throws(RunOptionProblem) in
        check.retries = try RunOptionValue.integer(value, 0...Int64(Int32.max))
      }),
    Option(
      "health-start-interval", [],
      health { (check, value) throws(RunOptionProblem) in check.startInterval = try RunOptionValue.duration(value) }),
    Option(
      "health-start-period", [],
      health { (check, value) throws(RunOptionProblem) in check.startPeriod = try RunOptionValue.duration(value) }),
    Option(
      "health-timeout", [],
      health { (check, value) throws(RunOptionProblem) in check.timeout = try RunOptionValue.duration(value) }),
    Option(
      "no-healthcheck", [],
      .single { (state, value) throws(RunOptionProblem) in state.noHealthcheck = try RunOptionValue.bool(value) }),
  ]

  /// `name=value`, or `name` for an empty value.
  static func label(_ text: String) throws(RunOptionProblem) -> (name: String, value: String) {
    let (written, value) = RunOptionValue.cut(text, "=")
    let name = Array(written.utf8).drop(while: ASCII.isSpace)
    guard !name.isEmpty, !name.contains(where: ASCII.isSpace) else { throw .value(text, "a label: name=value") }
    return (String(decoding: name, as: UTF8.self), value ?? "")
  }
}
