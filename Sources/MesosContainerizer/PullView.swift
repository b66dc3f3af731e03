import Images
import LinuxKernel
import Registry
import TaskModel

/// Shows how a pull or an import gets on: a line for whatever is new, and on a terminal a bar for each layer under way.
package struct PullView {
  private let name: String
  private let write: ([UInt8]) -> Void
  /// `nil` for what is no terminal that can be written over.
  private let screen: () -> TerminalSize?
  private var bars = LayerBars()
  private var last = ""

  package init(
    _ name: String, screen: @escaping () -> TerminalSize? = { TerminalSize(of: 2) },
    write: @escaping ([UInt8]) -> Void = { StandardStream.write($0, to: 2) }
  ) {
    self.name = name
    self.write = write
    self.screen = screen
  }

  package mutating func take(_ progress: PullProgress, at now: UInt64 = Clock.now) {
    switch progress {
    case .waiting: line("another pull of it is under way: waiting for that")
    case .resolved(let digest): line("\(digest)")
    case .present: line("the store has it")
    case .layers(let missing, let all, let bytes):
      line(
        missing == 0
          ? "the store has all \(all) layers" : "\(missing) of \(all) layers to fetch, \(Quantity.bytes(bytes))")
    case .fetched(let digest, let bytes): line("layer \(digest.short): \(Quantity.bytes(bytes))")
    case .retrying(let what, let why, let milliseconds):
      let seconds = "\(milliseconds / 1000).\(milliseconds % 1000 / 100)"
      line("\(what): \(why): once more in \(seconds) s")
    case .warning(let text): line("warning: \(text)")
    case .importing(let progress):
      line(progress.text, isTold: true)
      if let screen = screen(), let text = bars.show(progress.parts, on: screen, at: now) { write(text) }
    }
  }

  /// - Parameter isTold: it has the image's name already.
  private mutating func line(_ text: String, isTold: Bool = false) {
    let text = isTold ? text : "\(name): \(text)"
    guard text != last else { return }
    last = text
    finish()
    write(terminalSafe(Array((text + "\n").utf8)))
  }

  /// Takes the bars away: what comes next stands on its own.
  package mutating func finish() {
    if let text = bars.wipe() { write(text) }
  }
}

extension ImportProgress {
  /// For people: `debian:bookworm: unpacking layer 2 of 5`.
  package var text: String {
    let name = image.isEmpty ? "" : image + ": "
    switch phase {
    case .copying: return name + "reading standard input"
    case .decompressing: return name + "decompressing the archive"
    case .inspecting: return name + "reading the archive"
    case .waiting: return name + "another import of it is under way: waiting for that"
    case .unpacking:
      if layersDone == layers { return name + "\(layers) of \(layers) layers unpacked" }
      return name + "unpacking layer \(layersDone + 1) of \(layers), " + Quantity.bytes(bytesTotal)
    case .storing: return name + "storing"
    }
  }
}
