import Images
import LinuxKernel
import MesosContainerizer
import Registry
import StrictJSON
import Supervision
import TaskModel
import TaskStore

/// `image`: the store of unpacked images.
enum ImageCommand {
  static let command = Command(
    name: "image", summary: "pull, import, list, inspect, verify and remove images",
    synopsis:
      "pull IMAGE | import ARCHIVE|- [NAME:TAG] | ls | inspect IMAGE | rm IMAGE | gc | pin IMAGE | unpin IMAGE | verify [IMAGE...] | df",
    options: [
      CommonOptions.workDirectory, CommonOptions.output,
      Option("--tag", value: "NAME:TAG", "import: the name, and what a tar without one is a root file system of"),
      Option("--force", "rm: remove the image under all its names"),
      Option("--quiet", short: "-q", "ls: only ids; import, pull: no progress"), RegistryOptions.platform,
      RegistryOptions.configuration,
    ] + ImageGCCommand.options + ImageVerifyCommand.options + RegistryOptions.all + AppcOptions.all,
    notes: """
      ARCHIVE is what `docker save` writes, an OCI layout (a directory), an OCI archive or an AppC image (an ACI), also
      compressed with gzip, zstd, xz or bzip2; with --tag also a tar of a root file system. - is standard input.
      pull asks the registry that the name of IMAGE says, by curl: NAME[:TAG][@DIGEST], with the registry in front of it
      unless it is Docker Hub; with --appc-store or --appc-discovery-prefix it finds an AppC image there. Elsewhere IMAGE is a
      reference, an id or as much of its beginning as names one image, or what an AppC image is called:
      NAME[:VERSION][,LABEL=VALUE].
      gc removes what imports and pulls have left, layers without an image, and images by age or for room, least recently used
      first; never one in use or pinned, which is said with its reason. verify compares every file with what was unpacked: exit
      status 1 when something is another, 79 when there is nothing to compare with. df says what the store takes.
      """,
    needsProc: true, believesDirectories: true, run: run)

  private static let actions = ["pull", "import", "ls", "inspect", "rm", "gc", "pin", "unpin", "verify", "df"]

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    guard let action = arguments.operands.first else {
      throw ExecutorFailure(.usage, "image: what?", hint: actions.joined(separator: ", "))
    }
    let rest = Array(arguments.operands.dropFirst())
    func operands(_ range: ClosedRange<Int>, _ what: String) throws(ExecutorFailure) {
      guard range.contains(rest.count) else {
        throw ExecutorFailure(
          .usage,
          rest.count < range.lowerBound
            ? "image \(action): \(what) is missing" : "unexpected \"\(rest[range.upperBound])\"")
      }
    }
    do {
      switch action {
      case "pull":
        try operands(1...1, "the image")
        return try pull(rest[0], arguments)
      case "import":
        try operands(1...2, "the archive")
        return try importArchive(rest[0], as: rest.count > 1 ? rest[1] : nil, arguments)
      case "ls", "list":
        try operands(0...0, "")
        return try ImageListCommand.list(arguments)
      case "inspect":
        try operands(1...1, "the image")
        return try ImageListCommand.inspect(rest[0], arguments)
      case "rm", "remove":
        try operands(1...1, "the image")
        return try ImageListCommand.remove(rest[0], arguments)
      case "pin", "unpin":
        try operands(1...1, "the image")
        return try ImageListCommand.pin(rest[0], action == "pin", arguments)
      case "gc":
        try operands(0...0, "")
        return try ImageGCCommand.run(arguments)
      case "verify":
        return try ImageVerifyCommand.run(rest, arguments)
      case "df":
        try operands(0...0, "")
        return try ImageDFCommand.run(arguments)
      default:
        let near = NearestKey.find(action, among: actions)
        throw ExecutorFailure(
          .usage, "image has no action \(action)",
          hint: near.map { "did you mean \($0)?" } ?? actions.joined(separator: ", ")
        )
      }
    } catch let failure as ExecutorFailure {
      throw failure
    } catch let error as ImageError {
      throw ExecutorFailure(error)
    } catch let error as RegistryError {
      throw ExecutorFailure(error)
    } catch {
      throw ExecutorFailure(.usage, "\(error)")
    }
  }

  /// - Parameter isRead: nothing is made for who only looks.
  /// - Parameter sweeps: false for who says what is removed.
  static func store(
    _ arguments: Arguments, isRead: Bool = false, platform: Platform = .host, sweeps: Bool = true
  ) throws -> ImageStore {
    try RunCommand.checkPaths(arguments, usesRunDirectory: false)
    guard CurrentProcess.effectiveUser == 0 else {
      throw ExecutorFailure(.needsPrivileges, "the image store keeps files of every owner, so it needs root")
    }
    let root = TaskPaths.images(arguments.workDirectory)
    if isRead { return try ImageStore(reading: root) }
    try TrustedDirectory.make(arguments.workDirectory, mode: 0o711, option: "--work-dir")
    return try ImageStore(root: root, platform: platform, sweeps: sweeps)
  }

  static func missing(_ name: String) -> ExecutorFailure {
    ExecutorFailure(
      .notFound, "there is no image \(printable(name.utf8))", hint: "`aurora-executor image ls` lists them")
  }

  private static func importArchive(_ path: String, as name: String?, _ arguments: Arguments) throws -> ExitCode {
    let style = try arguments.outputStyle()
    let tag = arguments.last("--tag")
    if let tag, let name {
      throw ExecutorFailure(.usage, "two names: \(printable(name.utf8)) and --tag \(printable(tag.utf8))")
    }
    let reference = try (tag ?? name).map { (text) throws(ReferenceError) in try ImageReference(text) }
    var report = ProgressReport(printable(path.utf8), style, isQuiet: arguments.has("--quiet"))
    defer { report.finish() }
    let store = try store(arguments)
    let places = try AppcOptions.places(arguments)
    let images: [StoredImage]
    if places.isEmpty {
      images = try store.importArchive(
        path, as: reference, mayBeRoot: tag != nil, passedOver: { report.passOver($0) }
      ) { report.take(.importing($0)) }
    } else {
      let pull = AppcPull(into: store, places: places, access: RegistryOptions.access(arguments)) { report.take($0) }
      images = try pull.importArchive(path, as: reference, mayBeRoot: tag != nil) { report.passOver($0) }
    }
    report.finish()
    for image in images { show(image, style) }
    return .finished
  }

  private static func pull(_ name: String, _ arguments: Arguments) throws -> ExitCode {
    let style = try arguments.outputStyle()
    let places = try AppcOptions.places(arguments)
    let reference = places.isEmpty ? try ImageReference(name) : nil
    var report = ProgressReport(
      reference?.description ?? printable(name.utf8), style, isQuiet: arguments.has("--quiet"))
    defer { report.finish() }
    let store = try store(arguments, platform: try RegistryOptions.platform(arguments))
    let access = RegistryOptions.access(arguments)
    let image =
      if let reference {
        try RegistryPull(into: store, access: access, for: .operator) { report.take($0) }.run(reference)
      } else {
        try AppcPull(into: store, places: places, access: access) { report.take($0) }.run(try AppcQuery(name))
      }
    report.finish()
    show(image, style)
    return .finished
  }

  private static func show(_ image: StoredImage, _ style: StatusPublisher.Style) {
    if style == .json {
      Console.output(JSON(object: [("event", "image")] + ImageView.members(image)).compact)
    } else {
      let names = ImageView.names(image.summary).joined(separator: ", ")
      let count = image.layers.count { !$0.isSupplement }
      Console.output(
        "\(names)  \(image.id.short)  \(count) layer\(count == 1 ? "" : "s"), "
          + Quantity.bytes(image.bytes) + (image.appc.map { "  \($0.imageID)" } ?? ""))
    }
  }
}
