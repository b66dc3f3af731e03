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
      Option("--clusters", value: "FILE", "clusters.json of an Aurora client"),
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
      guard let path = arguments.last("--clusters") else {
        throw ExecutorFailure(.usage, "--cluster \(printable(cluster.utf8)): of which file? --clusters FILE is missing")
      }
      if let registry = try ClusterRegistries(path).registry(of: cluster) {
        name = try registry.name(text, &access)
      }
    } else if arguments.has("--clusters") {
      throw ExecutorFailure(.usage, "--clusters without --cluster says nothing", hint: "--cluster NAME")
    }
    let reference: ImageReference
    do throws(ReferenceError) { reference = try ImageReference(name) } catch {
      throw ExecutorFailure(.usage, error.description)
    }
    let digest: Digest
    do throws(RegistryError) {
      digest = try RegistryClient(reference, access: access, interruption: nil) { progress in
        if case .retrying(let what, let why, _) = progress { Console.note("\(what): \(why)") }
      }.resolve(reference)
    } catch {
      throw ExecutorFailure(error)
    }
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

  /// The name as it was written, for whoever compares: `library/python:2.7` is `library/python`.
  private static func withoutTag(_ text: String) -> String {
    let name = Array(text.utf8.prefix { $0 != UInt8(ascii: "@") })
    guard let colon = name.lastIndex(of: UInt8(ascii: ":")), !name[colon...].contains(UInt8(ascii: "/")) else {
      return String(decoding: name, as: UTF8.self)
    }
    return String(decoding: name[..<colon], as: UTF8.self)
  }
}
