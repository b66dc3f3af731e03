import LinuxKernel

/// The options of `docker run`, as pairs of name and value, turned into what the API takes.
///
/// What Docker's own client does with an option on its command line is done here, so that a value which works there
/// works here. On purpose different:
///
/// - Nothing is taken from this process: a variable without a value is never filled from the environment, no path is
///   relative to a working directory, and a file is read only where the caller allows it.
/// - What the engine would refuse later is refused here where it can be known, with the option's name.
/// - Options that a caller who waits for the container cannot honour are refused (`Refusal`).
public enum DockerRunOptions {
  /// When the image is to be pulled (`pull`); nothing that a create request says.
  public enum PullPolicy: String, Sendable {
    /// Also when the engine has it.
    case always
    /// Only when the engine has none.
    case missing
    /// Never: without an image the container is not created.
    case never
  }

  /// What came of the options besides the request.
  public struct Applied: Sendable, Equatable {
    /// `pull`, when it was given.
    public var pull: PullPolicy?
    /// What a person should know although nothing failed: an option that has no effect, or one given twice.
    public var warnings: [String] = []
  }

  /// Reads a file that an option names; the path is absolute.
  public typealias FileReader = (_ path: String) throws(DockerEngineError) -> [UInt8]

  /// Applies options, in their order, to a request.
  ///
  /// Lists grow by what an option adds; of an option that holds one value the last one counts, as with Docker.
  /// - Parameters:
  ///   - parameters: names without dashes, long or short; a boolean without a value is true.
  ///   - request: what the options change. When this throws it is unchanged.
  ///   - readFile: for `env-file`, `label-file` and `security-opt seccomp=FILE`; without it these are refused. What it
  ///     can read ends up in the container, so it should read only what the container's owner may see.
  @discardableResult
  public static func apply(
    parameters: [(name: String, value: String)], to request: inout ContainerCreateRequest, readFile: FileReader? = nil
  ) throws(DockerRunOptionError) -> Applied {
    var state = RunOptionState(request, readFile: readFile)
    var seen: Set<String> = []
    for (index, parameter) in parameters.enumerated() {
      guard let option = RunOptionTable.option(named: parameter.name) else {
        throw DockerRunOptionError(
          .unknown, index: index, name: parameter.name, detail: "Docker has no such option",
          suggestions: NearNames.of(parameter.name, among: names))
      }
      do throws(RunOptionProblem) {
        switch option.effect {
        case .refused(let reason): throw RunOptionProblem(reason, .refused)
        case .single(let apply):
          if !seen.insert(option.name).inserted {
            state.warnings.append("\(option.name) is given more than once; the last value counts")
          }
          try apply(&state, parameter.value)
        case .repeatable(let apply): try apply(&state, parameter.value)
        }
      } catch {
        throw DockerRunOptionError(error.kind, index: index, name: option.name, detail: error.text)
      }
    }
    do throws(RunOptionProblem) {
      try state.finish()
    } catch {
      throw DockerRunOptionError(
        error.kind, index: parameters.count, name: error.option ?? "network", detail: error.text)
    }
    request = state.request
    return Applied(pull: state.pull, warnings: state.warnings)
  }

  /// Every long name that Docker documents, refused ones included, in alphabetical order.
  public static let names: [String] = RunOptionTable.options.map(\.name).sorted()

  /// The long name for a long or short name: `volume` for `v`; `nil` when there is no such option.
  public static func canonicalName(_ name: String) -> String? { RunOptionTable.option(named: name)?.name }

  /// The name that a value of `label` gives a label, as it goes to the engine; `nil` for a value that is none.
  public static func labelName(_ value: String) -> String? { try? RunOptionTable.label(value).name }

  /// Why an option cannot be used; `nil` when it can, or when there is none of this name.
  public static func refusal(of name: String) -> String? {
    guard case .refused(let reason)? = RunOptionTable.option(named: name)?.effect else { return nil }
    return reason
  }

  /// A reader of the host's files, for callers that allow it: regular files of at most 1 MiB.
  public static func readHostFile(_ path: String) throws(DockerEngineError) -> [UInt8] {
    let shown = printable(path.utf8)
    do throws(Errno) {
      if try status(of: path, followLinks: true).isRegularFile { return try readFile(path) }
    } catch {
      throw .invalid("\(shown) cannot be read: \(error.explanation)")
    }
    throw .invalid("\(shown) is no regular file")
  }
}
