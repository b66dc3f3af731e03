/// One request, before it is sent.
struct HTTPRequest {
  enum Body {
    case none
    /// Sent with the head, at once.
    case json([UInt8])
    /// Sent once the engine has said 100 Continue, or has kept silent about it.
    case upload(UploadBody, type: String)
  }

  /// The verb, `GET`.
  var method: String
  /// Path and query, encoded.
  var target: String
  /// What the caller calls this, for errors: `create container web`.
  var operation: String
  var fields: [(name: String, value: String)] = []
  var body = Body.none
  /// The protocol to switch to, `tcp` for attach.
  var upgrade: String?
  var deadlines: Deadlines
  /// Never on a kept connection, so that nothing but this request decides the fate of its descriptor.
  var freshConnection = false

  init(_ method: String, _ target: String, _ operation: String, deadlines: Deadlines) {
    self.method = method
    self.target = target
    self.operation = operation
    self.deadlines = deadlines
  }

  /// Sending it twice does what sending it once does.
  var isIdempotent: Bool { method == "GET" || method == "HEAD" }

  /// The request line and the fields, with the body when that is sent along.
  func head() throws(DockerEngineError) -> [UInt8] {
    var lines = ["\(method) \(target) HTTP/1.1", "Host: docker", "User-Agent: DockerEngineClient"]
    for (name, value) in fields { lines.append("\(name): \(value)") }
    if let upgrade { lines += ["Connection: Upgrade", "Upgrade: \(upgrade)"] }
    var content: [UInt8] = []
    switch body {
    case .none:
      if method != "GET", method != "HEAD" { lines.append("Content-Length: 0") }
    case .json(let bytes):
      lines += ["Content-Type: application/json", "Content-Length: \(bytes.count)"]
      content = bytes
    case .upload(let source, let type):
      lines += ["Content-Type: \(type)", "Expect: 100-continue"]
      switch source {
      case .bytes(let bytes): lines.append("Content-Length: \(bytes.count)")
      case .descriptor(_, .some(let length)): lines.append("Content-Length: \(length)")
      case .descriptor(_, nil): lines.append("Transfer-Encoding: chunked")
      }
    }
    for line in lines {
      // The last line of defence against a request that becomes two: what goes here is encoded where it is made.
      guard line.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
        throw .invalid("a control character in the head of the request")
      }
    }
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + content
  }
}
