import Images
import LinuxKernel
import StrictJSON
import Supervision
import TaskModel
import TaskStore

/// `image df`: what the store takes, whose it is, and what could go.
enum ImageDFCommand {
  static func run(_ arguments: Arguments) throws -> ExitCode {
    let style = try arguments.outputStyle()
    let usage = try ImageCommand.store(arguments, isRead: true).usage()
    ImageView.warn(usage.damaged)
    if style == .json {
      Console.output(json(usage).compact)
      return .finished
    }
    if !usage.images.isEmpty {
      var rows = [["IMAGE", "ID", "UNIQUE", "SHARED", "LAST USED", "KEPT"]]
      for image in usage.images {
        let summary = image.summary
        rows.append([
          ImageView.name(summary), summary.id.short, Quantity.bytes(image.uniqueBytes),
          Quantity.bytes(image.sharedBytes), Clock.timestamp(summary.lastUsedAt),
          (image.isInUse ? ["in use"] : []).joined() + (image.isInUse && summary.isPinned ? ", " : "")
            + (summary.isPinned ? "pinned" : ""),
        ])
      }
      Console.output(Console.table(rows) + "\n")
    }
    if !usage.layers.isEmpty {
      let rows = usage.layers.map { [$0.diffID.short, Quantity.bytes($0.bytes), String($0.images)] }
      Console.output(Console.table([["LAYER", "SIZE", "IMAGES"]] + rows) + "\n")
    }
    var rows: [[String]] = [["layers", "\(usage.layers.count)", Quantity.bytes(usage.layerBytes)]]
    for (kind, what) in [(StoreLeftover.Kind.pull, "pulls"), (.staging, "imports")] {
      for (isLive, words) in [(true, "\(what) at work"), (false, "left by \(what)")] {
        let items = usage.leftovers.filter { $0.leftover.kind == kind && $0.isLive == isLive }
        if isLive, items.isEmpty { continue }
        rows.append([words, "\(items.count)", Quantity.bytes(items.reduce(0) { $0 &+ $1.bytes })])
      }
    }
    rows.append(["free", "", "\(Quantity.bytes(usage.freeBytes)) of \(Quantity.bytes(usage.totalBytes))"])
    rows.append(["image gc could free", "", Quantity.bytes(usage.reclaimableBytes)])
    Console.output(Console.table(rows))
    return .finished
  }

  private static func json(_ usage: StoreUsage) -> JSON {
    let images = usage.images.map { image in
      JSON(object: [
        ("id", JSON(image.summary.id.description)),
        ("references", JSON(image.summary.references.map { JSON($0.description) })),
        ("unique_bytes", JSON(image.uniqueBytes)), ("shared_bytes", JSON(image.sharedBytes)),
        ("last_used_at", JSON(Clock.timestamp(image.summary.lastUsedAt))), ("in_use", JSON(image.isInUse)),
        ("pinned", JSON(image.summary.isPinned)),
      ])
    }
    let layers = usage.layers.map { layer in
      JSON(object: [
        ("diff_id", JSON(layer.diffID.description)), ("bytes", JSON(layer.bytes)), ("images", JSON(layer.images)),
      ])
    }
    let leftovers = usage.leftovers.map { item in
      JSON(object: [
        ("kind", JSON(item.leftover.kind.rawValue)), ("path", JSON(item.leftover.path)), ("bytes", JSON(item.bytes)),
        ("at_work", JSON(item.isLive)),
      ])
    }
    return JSON(object: [
      ("images", JSON(images)), ("layers", JSON(layers)), ("layer_bytes", JSON(usage.layerBytes)),
      ("leftovers", JSON(leftovers)), ("free_bytes", JSON(usage.freeBytes)), ("total_bytes", JSON(usage.totalBytes)),
      ("reclaimable_bytes", JSON(usage.reclaimableBytes)),
    ])
  }
}
