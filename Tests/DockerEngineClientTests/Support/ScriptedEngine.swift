import LinuxKernel

// The C library's header for threads is in no module that may be imported beside LinuxKernel's.
@_silgen_name("pthread_create")
private func createThread(
  _ thread: UnsafeMutablePointer<UInt>, _ attributes: UnsafeRawPointer?,
  _ start: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?, _ argument: UnsafeMutableRawPointer?
) -> Int32
@_silgen_name("pthread_detach")
private func detachThread(_ thread: UInt) -> Int32

/// Runs `body` on a thread of its own.
func onThread(_ body: @escaping @Sendable () -> Void) {
  final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  let argument = Unmanaged.passRetained(Box(body)).toOpaque()
  var thread: UInt = 0
  let code = createThread(
    &thread, nil,
    { argument in
      if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
      return nil
    }, argument)
  precondition(code == 0, "no thread for the test")
  _ = detachThread(thread)
}

/// A server on a temporary socket that says exactly what a test wants it to say, to make the client meet what a real
/// engine cannot be made to do on demand.
final class ScriptedEngine: Sendable {
  /// One accepted connection, as the script sees it.
  final class Connection: Sendable {
    fileprivate let socket: SharedDescriptor
    private let engine: ScriptedEngine
    /// 0 for the first connection that the client made.
    let number: Int
    /// The descriptor, for scripts that write byte by byte.
    var socketNumber: Int32 { socket.rawValue }

    fileprivate init(_ socket: SharedDescriptor, _ engine: ScriptedEngine, number: Int) {
      self.socket = socket
      self.engine = engine
      self.number = number
    }

    /// The next request, head and body by Content-Length; `nil` when the client is gone.
    func request() -> String? {
      var bytes: [UInt8] = []
      let end = Array("\r\n\r\n".utf8)
      while true {
        guard let byte = try? socket.descriptor.read(upTo: 1), !byte.isEmpty else { return nil }
        bytes += byte
        if bytes.suffix(4).elementsEqual(end) { break }
      }
      let head = String(decoding: bytes, as: UTF8.self)
      for line in head.utf8.split(separator: 0x0a) where line.starts(with: "Content-Length: ".utf8) {
        let digits = line.dropFirst(16).filter { $0 != 0x0d }
        var missing = Int(String(decoding: Array(digits), as: UTF8.self)) ?? 0
        if head.utf8.count > 0, head.contains("100-continue") { missing = 0 }
        while missing > 0 {
          guard let piece = try? socket.descriptor.read(upTo: missing), !piece.isEmpty else { return nil }
          bytes += piece
          missing -= piece.count
        }
      }
      let text = String(decoding: bytes, as: UTF8.self)
      engine.log.withLock { $0.append(text) }
      return text
    }

    /// Up to `count` bytes; empty when the client is gone.
    func read(_ count: Int) -> [UInt8] {
      var bytes: [UInt8] = []
      while bytes.count < count {
        guard let piece = try? socket.descriptor.read(upTo: count - bytes.count), !piece.isEmpty else { break }
        bytes += piece
      }
      return bytes
    }

    func send(_ bytes: [UInt8]) {
      var rest = bytes[...]
      while !rest.isEmpty {
        guard let count = try? StreamSocket.send(rest, over: socket.rawValue) else { return }
        rest = rest.dropFirst(count)
        if count == 0 {
          _ = try? waitUntilReady(socket.rawValue, read: false, write: true, timeoutMilliseconds: 1000)
        }
      }
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    /// A response with a Content-Length.
    func reply(_ status: String, _ body: String, fields: String = "") {
      send("HTTP/1.1 \(status)\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    /// A response in one chunk.
    func replyChunked(_ status: String, _ body: String, fields: String = "") {
      send(
        "HTTP/1.1 \(status)\r\n\(fields)Transfer-Encoding: chunked\r\n\r\n"
          + "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n")
    }

    /// Keeps the connection open and silent until the client goes.
    func hang() { while let piece = try? socket.descriptor.read(upTo: 4096), !piece.isEmpty {} }
  }

  let path: String
  private let directory: String
  private let log = Locked<[String]>([])
  private let stopping = Locked(false)
  /// Every request that was read whole, in order.
  var requests: [String] { log.withLock { $0 } }

  /// Serves each connection by `script`, on a thread of its own; when the script returns, the connection closes.
  init(_ script: @escaping @Sendable (Connection) -> Void) throws {
    directory = "/tmp/engine-\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    try makeDirectory(directory, mode: 0o700)
    path = directory + "/docker.sock"
    let listener = SharedDescriptor(try UnixSocket.listen(path, kind: .stream, backlog: 64))
    onThread { [weak self] in
      var number = 0
      while let accepted = try? UnixSocket.accept(listener.descriptor) {
        guard let self, !self.stopping.withLock({ $0 }) else { return }
        let connection = Connection(SharedDescriptor(accepted), self, number: number)
        number += 1
        onThread { script(connection) }
      }
    }
  }

  /// Answers every ping with API 1.41 and every other request by `script`, which gets the request's text.
  static func speaking(
    version: String = "1.41", _ script: @escaping @Sendable (Connection, String) -> Void
  ) throws -> ScriptedEngine {
    try ScriptedEngine { connection in
      while let request = connection.request() {
        if request.utf8.starts(with: "GET /_ping ".utf8) {
          connection.reply("200 OK", "OK", fields: "Api-Version: \(version)\r\nOstype: linux\r\n")
        } else {
          script(connection, request)
        }
      }
    }
  }

  deinit {
    stopping.withLock { $0 = true }
    _ = try? UnixSocket.connect(path, kind: .stream)  // wakes the listener's thread
    try? removeFile(path)
    try? removeDirectory(directory)
  }
}
