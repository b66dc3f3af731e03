import LinuxKernel

/// A `docker save` archive of one layer, made byte by byte: no tool, no registry.
enum TestImage {
  static let reference = "engine-client-test:1"

  /// One entry of a ustar archive (POSIX.1-1988).
  static func tarEntry(_ name: String, _ content: [UInt8], mode: Int = 0o755, type: Character = "0") -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at offset: Int) {
      header.replaceSubrange(offset..<(offset + text.utf8.count), with: Array(text.utf8))
    }
    func octal(_ value: Int, _ width: Int) -> String {
      let digits = String(value, radix: 8)
      return String(repeating: "0", count: width - digits.utf8.count) + digits
    }
    put(name, at: 0)
    put(octal(mode, 7), at: 100)
    put(octal(0, 7), at: 108)
    put(octal(0, 7), at: 116)
    put(octal(content.count, 11), at: 124)
    put(octal(0, 11), at: 136)
    put("        ", at: 148)
    put(String(type), at: 156)
    put("ustar\u{0}00", at: 257)
    let sum = header.reduce(0) { $0 + Int($1) }
    put(octal(sum, 6) + "\u{0} ", at: 148)
    let padding = [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    return header + content + padding
  }

  static func archive() throws -> [UInt8] {
    let end = [UInt8](repeating: 0, count: 1024)
    let layer =
      tarEntry("bin/", [], type: "5") + tarEntry("bin/busybox", try readFile("/bin/busybox", limit: 16 << 20))
      + ["sh", "cat", "echo", "sleep"].flatMap { tarLink("bin/\($0)", to: "busybox") } + end
    let digest = SHA256.hexadecimal(layer)
    let config =
      #"{"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/sh"],"Env":["PATH=/bin"],"Labels":{"made-by":"test"}},"#
      + #""rootfs":{"type":"layers","diff_ids":["sha256:\#(digest)"]}}"#
    let manifest = #"[{"Config":"config.json","RepoTags":["\#(reference)"],"Layers":["layer.tar"]}]"#
    return tarEntry("layer.tar", layer) + tarEntry("config.json", Array(config.utf8))
      + tarEntry("manifest.json", Array(manifest.utf8)) + end
  }

  private static func tarLink(_ name: String, to target: String) -> [UInt8] {
    var entry = tarEntry(name, [], mode: 0o777, type: "2")
    entry.replaceSubrange(157..<(157 + target.utf8.count), with: Array(target.utf8))
    for offset in 148..<156 { entry[offset] = 0x20 }
    let digits = String(entry.reduce(0) { $0 + Int($1) }, radix: 8)
    let text = String(repeating: "0", count: 6 - digits.utf8.count) + digits + "\u{0} "
    entry.replaceSubrange(148..<156, with: Array(text.utf8))
    return entry
  }
}

/// SHA-256 (FIPS 180-4), for the digests of test images only.
enum SHA256 {
  static func hexadecimal(_ bytes: [UInt8]) -> String {
    let primes = (2...311).filter { number in !(2..<number).contains { number % $0 == 0 } }
    func fraction(_ root: Double) -> UInt32 { UInt32((root - root.rounded(.down)) * 4_294_967_296) }
    var state = primes.prefix(8).map { fraction(Double($0).squareRoot()) }
    let constants = primes.prefix(64).map { fraction(cubeRoot(Double($0))) }
    var message = bytes + [0x80]
    message += [UInt8](repeating: 0, count: (120 - message.count % 64) % 64)
    for shift in stride(from: 56, through: 0, by: -8) {
      message.append(UInt8(truncatingIfNeeded: (bytes.count * 8) >> shift))
    }
    var words = [UInt32](repeating: 0, count: 64)
    func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value >> count | value << (32 - count) }
    for start in stride(from: 0, to: message.count, by: 64) {
      for index in 0..<16 {
        let at = start + index * 4
        words[index] =
          UInt32(message[at]) << 24 | UInt32(message[at + 1]) << 16 | UInt32(message[at + 2]) << 8
          | UInt32(message[at + 3])
      }
      for index in 16..<64 {
        let (early, late) = (words[index - 15], words[index - 2])
        let first = rotate(early, 7) ^ rotate(early, 18) ^ early >> 3
        let second = rotate(late, 17) ^ rotate(late, 19) ^ late >> 10
        words[index] = words[index - 16] &+ first &+ words[index - 7] &+ second
      }
      var (a, b, c, d, e, f, g, h) = (state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7])
      for index in 0..<64 {
        let sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
        let first = h &+ sum1 &+ (e & f ^ ~e & g) &+ constants[index] &+ words[index]
        let sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
        let second = sum0 &+ (a & b ^ a & c ^ b & c)
        (a, b, c, d, e, f, g, h) = (first &+ second, a, b, c, d &+ first, e, f, g)
      }
      for (index, value) in [a, b, c, d, e, f, g, h].enumerated() { state[index] = state[index] &+ value }
    }
    return state.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }.joined()
  }

  /// By Newton's method: the C library's mathematics is in no module that may be imported here.
  private static func cubeRoot(_ value: Double) -> Double {
    var root = value
    for _ in 0..<200 { root = (2 * root + value / (root * root)) / 3 }
    return root
  }
}
