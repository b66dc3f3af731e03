@testable import Images
import LinuxKernel
import Registry
import Testing

@testable import MesosContainerizer

/// What a person sees of a pull and of an import.
struct LayerBarsTests {
  private static let wide = TerminalSize(columns: 120, rows: 50)
  private static let digest = SHA256.digest(of: Array("layer".utf8))

  private func part(_ number: Int, _ phase: LayerProgress.Phase, fetched: UInt64, unpacked: UInt64 = 0) -> LayerProgress
  {
    LayerProgress(
      digest: LayerBarsTests.digest, number: number, phase: phase, fetched: fetched, unpacked: unpacked, size: 4 << 20)
  }

  private func importing(_ parts: [LayerProgress]) -> PullProgress {
    var progress = ImportProgress(phase: .unpacking)
    progress.image = "app:1"
    progress.layers = 2
    progress.parts = parts
    return .importing(progress)
  }

  private func shown(isTerminal: Bool, _ steps: [PullProgress]) -> String {
    var bytes: [UInt8] = []
    var view = PullView("app:1", screen: { isTerminal ? LayerBarsTests.wide : nil }) { bytes += $0 }
    for (second, step) in steps.enumerated() { view.take(step, at: UInt64(second + 1) * 1_000_000_000) }
    view.finish()
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What is left on a screen that knows the two sequences which are used.
  private func screen(_ text: String) -> [String] {
    var lines = [""]
    var row = 0
    var rest = Substring(text)
    while let first = rest.first {
      if rest.hasPrefix("\u{1b}[1A") {
        row -= 1
        rest = rest.dropFirst(4)
      } else if rest.hasPrefix("\u{1b}[K") {
        lines[row] = ""
        rest = rest.dropFirst(3)
      } else {
        if first == "\n" {
          row += 1
          if row == lines.count { lines.append("") }
        } else if first != "\r" {
          lines[row].append(first)
        }
        rest = rest.dropFirst()
      }
    }
    return lines
  }

  @Test func eachLayerUnderWayHasABarWithBytesRateAndPhase() {
    let steps = [
      importing([part(1, .fetching, fetched: 0), part(2, .waiting, fetched: 0)]),
      importing([part(1, .fetching, fetched: 2 << 20), part(2, .unpacking, fetched: 4 << 20, unpacked: 1 << 20)]),
    ]
    var bytes: [UInt8] = []
    var view = PullView("app:1", screen: { LayerBarsTests.wide }) { bytes += $0 }
    for (second, step) in steps.enumerated() { view.take(step, at: UInt64(second + 1) * 1_000_000_000) }
    let short = LayerBarsTests.digest.short
    #expect(
      screen(String(decoding: bytes, as: UTF8.self)) == [
        "app:1: unpacking layer 1 of 2, 0 B",
        "  1  \(short)  fetching   [###############...............]  2 MiB / 4 MiB, 2 MiB/s",
        "  2  \(short)  unpacking  [#######.......................]  1 MiB / 4 MiB", "",
      ])
  }

  @Test(arguments: [
    (TerminalSize(columns: 80, rows: 24), 2), (TerminalSize(columns: 60, rows: 24), 2),
    (TerminalSize(columns: 20, rows: 24), 2), (TerminalSize(columns: 1, rows: 1), 1),
  ])
  func noBarIsLongerThanALine(size: TerminalSize, lines: Int) {
    var bytes: [UInt8] = []
    var view = PullView("app:1", screen: { size }) { bytes += $0 }
    for second in 1...3 {
      let done = UInt64(second) << 20
      let parts = [part(1, .fetching, fetched: done), part(2, .unpacking, fetched: 4 << 20, unpacked: done)]
      view.take(importing(parts), at: UInt64(second) * 1_000_000_000)
    }
    let bars = screen(String(decoding: bytes, as: UTF8.self)).dropFirst().dropLast()
    #expect(bars.count == lines)
    for bar in bars { #expect(bar.utf8.count < max(size.columns, 2)) }
    #expect(bars.allSatisfy { $0.contains("[") } == (size.columns > 50))
  }

  @Test func nothingOfTheBarsStays() {
    let text = shown(
      isTerminal: true,
      [
        importing([part(1, .fetching, fetched: 1 << 20), part(2, .fetching, fetched: 1 << 20)]),
        .fetched(LayerBarsTests.digest, bytes: 4 << 20),
        importing([part(1, .unpacking, fetched: 4 << 20), part(2, .done, fetched: 4 << 20)]),
      ])
    #expect(
      screen(text).filter { !$0.isEmpty } == [
        "app:1: unpacking layer 1 of 2, 0 B", "app:1: layer \(LayerBarsTests.digest.short): 4 MiB",
        "app:1: unpacking layer 1 of 2, 0 B",
      ])
  }

  @Test func withoutATerminalThereAreLinesAlone() {
    let text = shown(
      isTerminal: false,
      [
        .layers(missing: 1, of: 2, bytes: 4 << 20), importing([part(1, .fetching, fetched: 1 << 20)]),
        importing([part(1, .fetching, fetched: 2 << 20)]), .fetched(LayerBarsTests.digest, bytes: 4 << 20),
      ])
    #expect(
      text
        == "app:1: 1 of 2 layers to fetch, 4 MiB\napp:1: unpacking layer 1 of 2, 0 B\n"
        + "app:1: layer \(LayerBarsTests.digest.short): 4 MiB\n")
  }

  /// Sizes are a server's word.
  @Test func absurdSizesDoNoHarm() {
    let huge = LayerProgress(
      digest: nil, number: 1, phase: .unpacking, fetched: .max, unpacked: .max, size: .max)
    let none = LayerProgress(digest: nil, number: 2, phase: .fetching, fetched: 9, unpacked: 0, size: 0)
    let text = shown(isTerminal: true, [importing([huge, none]), importing([huge, none])])
    #expect(text.contains("15.9 EiB / 15.9 EiB"))
  }
}
