/// Every option of `docker run`, each with what it does: the list that Docker's command line reference documents.
enum RunOptionTable {
  typealias Handler = @Sendable (inout RunOptionState, String) throws(RunOptionProblem) -> Void

  /// A field of the request.
  typealias Path<Value> = any WritableKeyPath<ContainerCreateRequest, Value> & Sendable

  enum Effect: Sendable {
    /// Holds one value; the last one counts.
    case single(Handler)
    /// Adds to a list or a map.
    case repeatable(Handler)
    /// Docker has it, this project cannot; the reason.
    case refused(String)
  }

  struct Option: Sendable {
    let name: String
    /// Short names and those that Docker keeps for old command lines.
    let aliases: [String]
    let effect: Effect

    init(_ name: String, _ aliases: [String] = [], _ effect: Effect) {
      self.name = name
      self.aliases = aliases
      self.effect = effect
    }
  }

  static let options: [Option] = processes + files + networks + limits + privileges + others

  private static let byName: [[UInt8]: Int] = {
    var index: [[UInt8]: Int] = [:]
    for (position, option) in options.enumerated() {
      for name in [option.name] + option.aliases { index[Array(name.utf8)] = position }
    }
    return index
  }()

  static func option(named name: String) -> Option? { byName[Array(name.utf8)].map { options[$0] } }

  // MARK: Makers of effects

  /// Sets a field to the text as it is.
  static func text(_ path: Path<String>) -> Effect {
    .single { (state, value) throws(RunOptionProblem) in
      if value.utf8.contains(0) { throw .value(value, "text without NUL") }
      state.request[keyPath: path] = value
    }
  }

  /// Adds the text, checked by `check`, to a list.
  static func list(
    _ path: Path<[String]>,
    _ check: @escaping @Sendable (String) throws(RunOptionProblem) -> String = { (text) throws(RunOptionProblem) in
      try RunOptionValue.text(text, "a value")
    }
  ) -> Effect {
    .repeatable { (state, value) throws(RunOptionProblem) in
      state.request[keyPath: path].append(try check(value))
    }
  }

  static func flag(_ path: Path<Bool>) -> Effect {
    .single { (state, value) throws(RunOptionProblem) in
      state.request[keyPath: path] = try RunOptionValue.bool(value)
    }
  }

  static func number(
    _ path: Path<Int64?>, _ range: ClosedRange<Int64> = 0...Int64.max
  ) -> Effect {
    .single { (state, value) throws(RunOptionProblem) in
      state.request[keyPath: path] = try RunOptionValue.integer(value, range)
    }
  }

  static func size(_ path: Path<Int64?>) -> Effect {
    .single { (state, value) throws(RunOptionProblem) in
      state.request[keyPath: path] = try RunOptionValue.size(value)
    }
  }

  static func map(_ path: Path<[String: String]>) -> Effect {
    .repeatable { (state, value) throws(RunOptionProblem) in
      let (name, text) = RunOptionValue.cut(value, "=")
      guard let text, !name.isEmpty else { throw .value(value, "name=value") }
      state.request[keyPath: path][name] = text
    }
  }

  static func mode(
    _ path: Path<String>, _ modes: [String], orContainer: Bool = false
  ) -> Effect {
    .single { (state, value) throws(RunOptionProblem) in
      state.request[keyPath: path] = try SecurityOption.mode(value, modes, orContainer: orContainer)
    }
  }

  static func rates(
    _ path: any WritableKeyPath<ContainerResources, [ContainerResources.DeviceRate]> & Sendable,
    _ read: @escaping @Sendable (String) throws(RunOptionProblem) -> ContainerResources.DeviceRate
  ) -> Effect {
    .repeatable { (state, value) throws(RunOptionProblem) in
      state.request.hostConfig.resources[keyPath: path].append(try read(value))
    }
  }

  static func health(
    _ change: @escaping @Sendable (inout Healthcheck, String) throws(RunOptionProblem) -> Void
  ) -> Effect {
    .single { (state, value) throws(RunOptionProblem) in
      var check = state.health ?? Healthcheck()
      try change(&check, value)
      state.health = check
    }
  }

  /// Docker takes it and nothing comes of it.
  static func ignored(_ reason: String) -> Effect {
    .single { (state, _) throws(RunOptionProblem) in state.warnings.append(reason) }
  }
}
