import Images
import LinuxKernel
import StrictJSON
import TaskModel

/// How images are shown.
enum ImageView {
  /// What leads to an image: references, and what AppC calls it.
  static func names(_ image: ImageSummary) -> [String] {
    image.references.map(\.description) + (image.appc.map { [printable($0.description.utf8)] } ?? [])
  }

  /// The first of them, or the beginning of its id.
  static func name(_ image: ImageSummary) -> String { names(image).first ?? image.id.short }

  static func members(_ image: StoredImage) -> [(String, JSON?)] {
    let config = image.config
    let supplements = image.layers.filter(\.isSupplement)
    return [
      ("references", JSON(image.references.map { JSON($0.description) })), ("id", JSON(image.id.description)),
      ("digest", image.manifestDigest.map { JSON($0.description) }), ("appc", image.appc?.json),
      ("bytes", JSON(image.bytes)), ("pinned", JSON(image.isPinned)),
      ("imported_at", JSON(Clock.timestamp(image.importedAt))),
      ("last_used_at", image.lastUsedAt == 0 ? nil : JSON(Clock.timestamp(image.lastUsedAt))), ("os", JSON(config.os)),
      ("architecture", JSON(config.architecture)), ("user", config.user.isEmpty ? nil : JSON(config.user)),
      ("working_directory", config.workingDirectory.isEmpty ? nil : JSON(config.workingDirectory)),
      ("entrypoint", JSON(config.entrypoint.map { JSON($0) })), ("command", JSON(config.command.map { JSON($0) })),
      ("environment", JSON(config.environment.map { JSON($0) })),
      (
        "layers",
        JSON(
          image.layers.filter { !$0.isSupplement }.map {
            JSON(object: [
              ("diff_id", JSON($0.diffID.description)), ("bytes", JSON($0.bytes)), ("path", JSON($0.path)),
            ])
          })
      ),
      (
        "supplements",
        supplements.isEmpty ? nil : JSON(supplements.map { JSON(object: [("path", JSON($0.path))]) })
      ), ("stack", supplements.isEmpty ? nil : JSON(image.layers.map { JSON($0.path) })),
    ]
  }

  static func json(_ image: StoredImage) -> JSON { JSON(object: members(image)) }

  /// What is wrong with the store, for who looks at all of it.
  static func warn(_ damaged: [DamagedImage], _ problems: [String] = []) {
    for problem in problems { Console.warning(problem) }
    for image in damaged {
      let name = image.references.first.map { "\($0) (\(image.id.short))" } ?? image.id.short
      Console.warning(
        "the image \(name) cannot be used: \(image.error.message); `image rm \(image.id.short)` removes it")
    }
  }
}
