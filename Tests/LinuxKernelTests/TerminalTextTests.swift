import Testing

@testable import LinuxKernel

/// What a process writes is shown on a terminal, and must not act on it.
@Suite struct TerminalTextTests {
  @Test(arguments: [
    ("plain text\n\tüñ 日本 🙂", "plain text\n\tüñ 日本 🙂"), ("\u{1b}[31m\r\u{7f}", "\\x1b[31m\\x0d\\x7f"),
    ("a\u{9b}31mb", "a\\xc2\\x9b31mb"), ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
    ("\u{85}\u{a0}", "\\xc2\\x85\u{a0}"),
  ])
  func textIsAsItWasButForWhatActs(text: String, shown: String) {
    #expect(String(decoding: terminalSafe(Array(text.utf8)), as: UTF8.self) == shown)
  }

  @Test(
    arguments: [
      ([0x9b, 0x33], Array("\\x9b3".utf8)), ([0xc2], [0xc2]), ([0xc2, 0x41], [0xc2, 0x41]),
      // What is too long for what it says, a surrogate, and the first two bytes of a character.
      ([0xc0, 0x9b], [0xc0] + Array("\\x9b".utf8)), ([0xed, 0xa0, 0x9b], [0xed, 0xa0] + Array("\\x9b".utf8)),
      ([0xe2, 0x80], [0xe2] + Array("\\x80".utf8)), ([0xff, 0xa0], [0xff, 0xa0]),
    ] as [([UInt8], [UInt8])])
  func bytesThatAreNoTextAreHarmlessToo(bytes: [UInt8], shown: [UInt8]) {
    #expect(terminalSafe(bytes) == shown)
  }

  @Test(arguments: [
    ("", 0), ("ab", 2), ("aü", 3), ("日本", 6), ("🙂", 4),
  ])
  func aPieceEndsBetweenCharacters(text: String, whole: Int) {
    let bytes = Array(text.utf8)
    #expect(bytes.wholeCharacters == whole)
    // What ends within its last character ends before it.
    let last = text.last.map { $0.utf8.count } ?? 0
    for missing in stride(from: 1, to: last, by: 1) {
      #expect(bytes.dropLast(missing).wholeCharacters == whole - last)
    }
  }

  @Test(arguments: [[0xff], [0x80, 0x80, 0x80, 0x80], [0x41, 0x80], [0xc0]] as [[UInt8]])
  func bytesThatAreNoTextAreWhole(bytes: [UInt8]) {
    #expect(bytes.wholeCharacters == bytes.count)
  }

  @Test func nothingActsWhateverComes() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      let bytes = (0..<40).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let shown = terminalSafe(bytes)
      // Read by a terminal of 8 bits or of UTF-8.
      let text = String(decoding: shown, as: UTF8.self)
      #expect(
        !text.unicodeScalars.contains {
          ($0.value < 0x20 && $0 != "\n" && $0 != "\t") || (0x7f..<0xa0).contains($0.value)
        })
    }
  }
}
