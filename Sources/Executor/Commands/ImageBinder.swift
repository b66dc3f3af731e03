import Images
import LinuxKernel
import Registry
import TaskModel
import TaskStore

/// Binds `{{docker.image[NAME][TAG]}}`: what the tag means now at the `docker_registry` of the job's cluster, as `NAME@sha256:…`.
///
/// It is looked up once, when the task begins, and written down with the task's other bindings: whoever goes on with it has the
/// same image.
struct ImageBinder {
  private var access: RegistryAccess
  private let registry: ClusterRegistries.ClusterRegistry?

  /// - Parameter arguments: of which `--clusters` is read.
  init(_ arguments: Arguments, _ settings: RunSettings, cluster: String?) throws(ExecutorFailure) {
    access = RegistryOptions.access(arguments)
    access.plainHTTP = settings.plainHTTP
    guard cluster != nil || !arguments.has("--clusters") else {
      throw ExecutorFailure(
        .usage, "--clusters says nothing: the document names no cluster", hint: "--bind mesos.cluster=NAME names one")
    }
    if let cluster, let clusters = try ClusterRegistries(arguments, access.environment) {
      registry = try clusters.registry(of: cluster)
    } else {
      registry = nil
    }
  }

  /// The settings with a binding for each image that the document refers to, but for those that have one.
  ///
  /// - Parameter signals: it is given up when something can be read from it.
  static func bind(
    _ document: TaskDocument, _ settings: RunSettings, _ arguments: Arguments, until signals: SharedDescriptor?
  ) throws(ExecutorFailure) -> RunSettings {
    func bound(_ key: String) -> String? { settings.bindings.last { $0[0].utf8.elementsEqual(key.utf8) }?[1] }
    let images = document.referencedImages.filter { bound(key($0)) == nil }
    guard !images.isEmpty else { return settings }
    var binder = try ImageBinder(arguments, settings, cluster: bound("mesos.cluster") ?? document.cluster)
    var settings = settings
    for image in images {
      let value = try binder.value(of: image, until: signals)
      settings.bindings.append([key(image), value])
      Console.note("{{\(printable(key(image).utf8))}} is \(value)")
    }
    // Whoever fetches the image asks the same registry.
    settings.plainHTTP = binder.access.plainHTTP
    return settings
  }

  /// Bindings to a digest that is nobody's, for whoever launches nothing.
  static func standIns(_ document: TaskDocument) -> [[String]] {
    document.referencedImages.map { [key($0), $0.name + "@sha256:" + String(repeating: "0", count: 64)] }
  }

  private static func key(_ image: Bindings.DockerImage) -> String { "docker.image[\(image.name)][\(image.tag)]" }

  private mutating func value(of image: Bindings.DockerImage, until signals: SharedDescriptor?) throws(ExecutorFailure)
    -> String
  {
    let name = registry?.name(image.name, &access.plainHTTP) ?? image.name
    let place = "{{\(printable(ImageBinder.key(image).utf8))}}"
    let reference: ImageReference
    do throws(ReferenceError) { reference = try ImageReference("\(name):\(image.tag)") } catch {
      throw ExecutorFailure(.invalidDocument, "\(place): \(error)")
    }
    do throws(RegistryError) { return "\(name)@\(try ResolveCommand.resolve(reference, access, until: signals))" } catch
    {
      if error.kind == .interrupted { throw ExecutorFailure(.stopped, "\(place): stopped while it was being resolved") }
      let failure = ExecutorFailure(error)
      throw ExecutorFailure(failure.kind, "\(place): \(failure.message)", hint: failure.hint)
    }
  }
}
