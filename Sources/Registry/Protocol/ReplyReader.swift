import HTTP1

/// The status and the fields of a server's answer.
struct ReplyHead: Sendable, Equatable {
  let status: Int
  /// Names in lower case, in the order of the message.
  let fields: [(name: [UInt8], value: [UInt8])]

  func value(_ name: String) -> [UInt8]? { fields.first { $0.name.elementsEqual(name.utf8) }?.value }
  func values(_ name: String) -> [[UInt8]] {
    fields.filter { $0.name.elementsEqual(name.utf8) }.map(\.value)
  }

  /// `Content-Type` without its parameters, in lower case.
  var mediaType: String? {
    value("content-type").map { value in
      let type = ASCII.trimmed(value.prefix { $0 != UInt8(ascii: ";") })
      return String(decoding: ASCII.lowercased(type), as: UTF8.self)
    }
  }

  static func == (left: ReplyHead, right: ReplyHead) -> Bool {
    left.status == right.status
      && left.fields.elementsEqual(right.fields) { $0.name == $1.name && $0.value == $1.value }
  }
}

/// Tells heads from the body in what `curl --include` writes: those of answers that come before the answer (1xx), its own, and its
/// body. curl has undone chunks and whatever else the body was sent in.
struct ReplyReader {
  private(set) var head: ReplyHead?
  private var waiting: [UInt8] = []
  private var headBytes = 0

  private static let maximumHeadBytes = 64 << 10
  private static let maximumFields = 128

  /// Takes more of the stream; returns what of it belongs to the body.
  mutating func take(_ bytes: [UInt8]) throws(RegistryError) -> ArraySlice<UInt8> {
    if head != nil { return bytes[...] }
    waiting += bytes
    while head == nil {
      guard let end = ReplyReader.endOfHead(waiting) else {
        guard headBytes + waiting.count <= ReplyReader.maximumHeadBytes else { throw ReplyReader.tooLong }
        return []
      }
      headBytes += end
      guard headBytes <= ReplyReader.maximumHeadBytes else { throw ReplyReader.tooLong }
      let next = try ReplyReader.read(waiting[..<end])
      waiting.removeFirst(end)
      if next.status >= 200 { head = next }
    }
    let body = waiting
    waiting = []
    return body[...]
  }

  private static var tooLong: RegistryError { .invalid("a head of more than \(maximumHeadBytes) bytes") }

  /// Behind the empty line.
  private static func endOfHead(_ bytes: [UInt8]) -> Int? {
    var index = 0
    while let feed = bytes[index...].firstIndex(of: ASCII.lineFeed) {
      let line = bytes[index..<feed]
      index = feed + 1
      if line.isEmpty || line.elementsEqual([ASCII.carriageReturn]) { return index }
    }
    return nil
  }

  private static func read(_ bytes: ArraySlice<UInt8>) throws(RegistryError) -> ReplyHead {
    var lines = bytes.split(separator: ASCII.lineFeed).map { line in
      line.last == ASCII.carriageReturn ? line.dropLast() : line
    }.filter { !$0.isEmpty }
    guard !lines.isEmpty else { throw .invalid("an answer without a status") }
    let words = lines.removeFirst().split(separator: UInt8(ascii: " "), maxSplits: 2)
    guard words.count >= 2, words[0].starts(with: "HTTP/".utf8), words[1].count == 3,
      let status = ASCII.decimal(words[1]), (100...599).contains(status)
    else { throw .invalid("an answer without a status") }
    guard lines.count <= maximumFields else { throw .invalid("an answer with more than \(maximumFields) fields") }
    var fields: [(name: [UInt8], value: [UInt8])] = []
    for line in lines {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
        line[..<colon].allSatisfy(ASCII.isTokenByte)
      else { throw .invalid("an answer with a field that is none") }
      fields.append((ASCII.lowercased(line[..<colon]), Array(ASCII.trimmed(line[(colon + 1)...]))))
    }
    return ReplyHead(status: Int(status), fields: fields)
  }
}
