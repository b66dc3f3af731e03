import Images
import StrictJSON
import Supervision
import TaskModel
import TaskStore
import LinuxKernel

/// `image ls`, `inspect`, `rm`, `pin` and `unpin`.
enum ImageListCommand {
  static func list(_ arguments: Arguments) throws -> ExitCode {
    let style = try arguments.outputStyle()
    let store = try ImageCommand.store(arguments, isRead: true)
    let inventory = try store.inventory()
    ImageView.warn(inventory.damaged, inventory.problems)
    let images = inventory.images
    if style == .json {
      for image in images {
        // One whose configuration cannot be read is no other's affair.
        do throws(ImageError) {
          if let image = try store.load(image) { Console.output(ImageView.json(image).compact) }
        } catch {
          Console.warning(error.description)
        }
      }
    } else if arguments.has("--quiet") {
      for image in images { Console.output(image.id.short) }
    } else if images.isEmpty {
      Console.note("no images in \(arguments.workDirectory)")
    } else {
      var rows = [["IMAGE", "ID", "LAYERS", "SIZE", "IMPORTED", "PINNED"]]
      for image in images {
        let names = ImageView.names(image)
        for name in names.isEmpty ? ["<none>"] : names {
          rows.append([
            name, image.id.short, String(image.layers.count { !$0.isSupplement }), Quantity.bytes(image.bytes),
            Clock.timestamp(image.importedAt), image.isPinned ? "pinned" : "",
          ])
        }
      }
      Console.output(Console.table(rows))
    }
    return .finished
  }

  static func inspect(_ name: String, _ arguments: Arguments) throws -> ExitCode {
    guard let image = try ImageCommand.store(arguments, isRead: true).findAny(name) else {
      throw ImageCommand.missing(name)
    }
    Console.raw(Array(ImageView.json(image).pretty.utf8))
    return .finished
  }

  static func remove(_ name: String, _ arguments: Arguments) throws -> ExitCode {
    let removal = try ImageCommand.store(arguments).remove(name, force: arguments.has("--force"))
    for reference in removal.references { Console.output("untagged \(reference)") }
    for id in removal.images { Console.output("removed \(id)") }
    let count = removal.layers.count
    Console.output("freed \(count) layer\(count == 1 ? "" : "s"), \(Quantity.bytes(removal.bytes))")
    for id in removal.unreadable {
      Console.warning(
        "the image \(id.short) cannot be read, so layers stay that may be its own; `image rm \(id.short)` removes it")
    }
    return .finished
  }

  static func pin(_ name: String, _ isPinned: Bool, _ arguments: Arguments) throws -> ExitCode {
    let image = try ImageCommand.store(arguments).setPinned(name, isPinned)
    Console.output("\(isPinned ? "pinned" : "unpinned") \(ImageView.name(image))  \(image.id.short)")
    return .finished
  }
}
