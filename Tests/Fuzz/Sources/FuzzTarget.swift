import Glibc

/// What can be fuzzed: everything that reads what a task, an image, an engine or a torn file says.
///
/// Each target takes any bytes and traps when a promise is broken. A trap, a hang and too much memory are findings.
enum FuzzTarget: String, CaseIterable {
  case json, document, machine, http, multiplexed, wire, tar, accounts, seccomp, registry, appc

  /// Set once, before the first input.
  nonisolated(unsafe) static var current = FuzzTarget.json

  func run(_ bytes: [UInt8]) {
    switch self {
    case .json: fuzzJSON(bytes)
    case .document: fuzzDocument(bytes)
    case .machine: fuzzMachine(bytes)
    case .http: fuzzHTTP(bytes)
    case .multiplexed: fuzzMultiplexed(bytes)
    case .wire: fuzzWire(bytes)
    case .tar: fuzzTar(bytes)
    case .accounts: fuzzAccounts(bytes)
    case .seccomp: fuzzSeccomp(bytes)
    case .registry: fuzzRegistry(bytes)
    case .appc: fuzzAppc(bytes)
    }
  }
}

func exitProcess(_ status: Int32) -> Never { exit(status) }

/// Traps with words when a promise is broken.
func promise(_ holds: Bool, _ what: @autoclosure () -> String, line: UInt = #line, file: StaticString = #file) {
  if holds { return }
  let text = Array("\(file):\(line): broken: \(what())\n".utf8)
  _ = write(2, text, text.count)
  abort()
}

/// Takes numbers from the input, and zeros when it is used up.
struct Dice {
  private var bytes: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

  var isEmpty: Bool { bytes.isEmpty }
  /// What is left.
  var rest: [UInt8] { Array(bytes) }

  mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }
  mutating func below(_ bound: Int) -> Int { Int(byte()) % bound }
  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  mutating func long() -> UInt64 { (0..<8).reduce(0) { sum, _ in sum << 8 | UInt64(byte()) } }
}

/// The input in pieces, as a seed says: of one byte, of a few, or larger ones.
func pieces(_ bytes: [UInt8], seed: UInt8) -> [[UInt8]] {
  var state = UInt32(seed) &+ 1
  var rest = bytes[...]
  var pieces: [[UInt8]] = []
  while !rest.isEmpty {
    state = state &* 1_664_525 &+ 1_013_904_223
    let size = seed == 0 ? 1 : Int(state >> 24) % (1 << (Int(seed) % 9)) + 1
    pieces.append(Array(rest.prefix(size)))
    rest = rest.dropFirst(size)
  }
  return pieces
}
