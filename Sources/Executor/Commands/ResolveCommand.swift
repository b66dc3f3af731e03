import Images
import LinuxKernel
import MesosContainerizer
import Registry
import StrictJSON
import TaskStore

/// `resolve`: what a tag means now, as a digest.
enum ResolveCommand {
  static let command = Command(
    name: "resolve", summary: "print the digest that an image's tag has now", synopsis: "IMAGE [options]",
    options: [
      ClusterRegistries.option,
      Option("--cluster", value: "NAME", "ask the docker_registry of this cluster (Docker Hub where it names none)"),
      RegistryOptions.configuration, CommonOptions.output,
    ] + RegistryOptions.all,
    notes: """
      Prints NAME@sha256:…, which is what {{docker.image[NAME][TAG]}} stands for. Of an index it is the index' own digest: every
      platform takes its own image from it.
      """,
    run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    let text = try arguments.operands(1...1, "the image")[0]
    let style = try arguments.outputStyle()
    var access = RegistryOptions.access(arguments)
    var name = text
    if let cluster = arguments.last("--cluster") {
      guard let clusters = try ClusterRegistries(arguments, access.environment) else {
        throw ExecutorFailure(
          .notFound, "--cluster \(printable(cluster.utf8)): there is no clusters.json",
          hint: "--clusters FILE names one")
      }
      if let registry = try clusters.registry(of: cluster) { name = registry.name(text, &access.plainHTTP) }
    } else if arguments.has("--clusters") {
      throw ExecutorFailure(.usage, "--clusters without --cluster says nothing", hint: "--cluster NAME")
    }
    let reference: ImageReference
    do throws(ReferenceError) { reference = try ImageReference(name) } catch {
      throw ExecutorFailure(.usage, error.description)
    }
    let digest: Digest
    do throws(RegistryError) { digest = try resolve(reference, access) } catch { throw ExecutorFailure(error) }
    let resolved = "\(withoutTag(name))@\(digest)"
    switch style {
    case .plain: Console.output(resolved)
    case .json:
      Console.output(
        JSON(object: [
          ("image", JSON(text)), ("digest", JSON(digest.description)), ("resolved", JSON(resolved)),
        ]).compact)
    }
    return .finished
  }

  /// What a reference means now.
  ///
  /// - Parameter signals: it is given up when something can be read from it.
  static func resolve(
    _ reference: ImageReference, _ access: RegistryAccess, until signals: SharedDescriptor? = nil
  ) throws(RegistryError) -> Digest {
    try RegistryClient(reference, access: access, interruption: signals?.rawValue) { progress in
      switch progress {
      case .retrying(let what, let why, _): Console.note("\(what): \(why)")
      case .warning(let text): Console.note("warning: \(text)")
      default: break
      }
    }.resolve(reference)
  }

  /// The name as it was written, for whoever compares: `library/python:2.7` is `library/python`.
  private static func withoutTag(_ text: String) -> String {
    let name = Array(text.utf8.prefix { $0 != UInt8(ascii: "@") })
    guard let colon = name.lastIndex(of: UInt8(ascii: ":")), !name[colon...].contains(UInt8(ascii: "/")) else {
      return String(decoding: name, as: UTF8.self)
    }
    return String(decoding: name[..<colon], as: UTF8.self)
  }
}
