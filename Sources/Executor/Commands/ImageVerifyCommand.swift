import Images
import LinuxKernel
import StrictJSON
import Supervision
import TaskStore

/// `image verify`: whether images are what was put into the store.
enum ImageVerifyCommand {
  static let options = [
    Option("--record", "verify: take layers of before there was anything to compare with as they are now")
  ]

  /// So many names that differ are told of one layer, unless a program reads them.
  private static let shown = 20

  static func run(_ names: [String], _ arguments: Arguments) throws -> ExitCode {
    let style = try arguments.outputStyle()
    let records = arguments.has("--record")
    let store = try ImageCommand.store(arguments, isRead: !records)
    var (isSound, isComplete) = (true, true)
    let images: [ImageSummary]
    if names.isEmpty {
      let inventory = try store.inventory()
      ImageView.warn(inventory.damaged, inventory.problems)
      isSound = inventory.damaged.isEmpty
      images = inventory.images
    } else {
      images = try names.map { name in
        guard let image = try store.findAny(name) else { throw ImageCommand.missing(name) }
        return image.summary
      }
    }
    var checked: [Digest: LayerCheck] = [:]
    for image in images {
      // It stays while it is looked at.
      let held = SharedDescriptor(try store.hold(image))
      defer { withExtendedLifetime(held) {} }
      var problems: [String] = []
      do throws(ImageError) { problems += try store.verify(documents: image.id) } catch {
        problems.append(error.message)
      }
      for diffID in image.needed where checked[diffID] == nil {
        do throws(ImageError) { checked[diffID] = try store.verify(layer: diffID, records: records) } catch {
          problems.append(error.message)
        }
      }
      let layers = image.needed.compactMap { checked[$0] }
      if style == .json {
        Console.output(json(image, problems, layers).compact)
      } else {
        show(image, problems, layers)
      }
      if !problems.isEmpty || layers.contains(where: { !$0.differences.isEmpty }) { isSound = false }
      if layers.contains(where: { !$0.isRecorded }) { isComplete = false }
    }
    return !isSound ? .failed : isComplete ? .finished : .residue
  }

  private static func show(_ image: ImageSummary, _ problems: [String], _ layers: [LayerCheck]) {
    let name = "\(ImageView.name(image))  \(image.id.short)"
    let unknown = layers.filter { !$0.isRecorded }
    let changed = layers.filter { !$0.differences.isEmpty }
    if problems.isEmpty, changed.isEmpty {
      let entries = layers.reduce(0) { $0 + $1.entries }
      Console.output(
        unknown.isEmpty
          ? "\(name)  sound: \(layers.count) layer\(layers.count == 1 ? "" : "s"), \(entries) names"
          : "\(name)  not known: of \(unknown.count) layer\(unknown.count == 1 ? "" : "s") nothing was written down; --record does it now"
      )
      return
    }
    Console.output("\(name)  damaged")
    for problem in problems { Console.output("  \(problem)") }
    for layer in changed {
      for difference in layer.differences.prefix(shown) {
        Console.output("  layer \(layer.diffID.short): \(difference.kind.rawValue) /\(printable(difference.path))")
      }
      let more = layer.differences.count - shown
      if more > 0 { Console.output("  layer \(layer.diffID.short): and \(more) more") }
    }
  }

  private static func json(_ image: ImageSummary, _ problems: [String], _ layers: [LayerCheck]) -> JSON {
    let isSound = problems.isEmpty && layers.allSatisfy { $0.differences.isEmpty }
    return JSON(object: [
      ("id", JSON(image.id.description)), ("references", JSON(image.references.map { JSON($0.description) })),
      ("sound", JSON(isSound && layers.allSatisfy(\.isRecorded))), ("problems", JSON(problems.map { JSON($0) })),
      (
        "layers",
        JSON(
          layers.map { layer in
            JSON(object: [
              ("diff_id", JSON(layer.diffID.description)), ("recorded", JSON(layer.isRecorded)),
              ("entries", JSON(layer.entries)),
              (
                "differences",
                JSON(
                  layer.differences.map {
                    JSON(object: [("kind", JSON($0.kind.rawValue)), ("path", JSON("/" + printable($0.path)))])
                  })
              ),
            ])
          })
      ),
    ])
  }
}
