import Glibc
import LinuxKernel
import PlayedInit
import Synchronization
import Testing

/// A server of a task's, on a port of this host: it answers one request after the other as it is told, and notes them.
final class LoopbackServer: Sendable {
  enum Answer: Sendable {
    case says(String)
    /// It takes the request and is silent until the other end goes.
    case hangs

    static func response(_ status: String, _ body: String = "") -> Answer {
      .says("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)")
    }
  }

  let port: Int
  private let listener: SharedDescriptor
  private let lines = Mutex<[String]>([])

  /// - Parameter answers: the last holds for all that follow.
  init(_ answers: [Answer]) throws {
    let listener = SharedDescriptor(
      FileDescriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isNamed = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener.rawValue, .init(__sockaddr__: $0), length) == 0
          && getsockname(listener.rawValue, .init(__sockaddr__: $0), &length) == 0
      }
    }
    try #require(isNamed && listen(listener.rawValue, 64) == 0)
    port = Int(UInt16(bigEndian: address.sin_port))
    self.listener = listener
    let aside = try Aside { [weak self, listener] in
      var count = 0
      while case let number = accept(listener.rawValue, .init(__sockaddr__: nil), nil), number >= 0 {
        let client = SharedDescriptor(FileDescriptor(owning: number))
        let answer = answers[min(count, answers.count - 1)]
        count += 1
        self?.serve(client, answer)
      }
    }
    aside.leave()
  }

  deinit { shutdown(listener.rawValue, Int32(SHUT_RDWR)) }

  /// The first lines of all requests.
  var requests: [String] { lines.withLock { $0 } }

  private func serve(_ client: SharedDescriptor, _ answer: Answer) {
    var head: [UInt8] = []
    while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
      guard let piece = (try? client.descriptor.read(upTo: 4096)) ?? nil, !piece.isEmpty else { return }
      head += piece
    }
    let line = String(decoding: head.prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
    lines.withLock { $0.append(line) }
    switch answer {
    case .says(let text): _ = try? StreamSocket.send(Array(text.utf8)[...], over: client.rawValue)
    case .hangs: _ = (try? client.descriptor.read(upTo: 1)) ?? nil
    }
  }
}
