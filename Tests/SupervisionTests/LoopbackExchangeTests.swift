import Glibc
import LinuxKernel
import Testing

@testable import Supervision

/// A server that answers without end, in whatever pieces: what the executor reads of it, and at once, is bounded.
@Suite struct LoopbackExchangeTests {
  /// Asks a server that says `head`, and then `piece` over and over.
  private func ask(
    _ head: String, _ piece: String, wantsBody: Bool = true
  ) throws -> (LoopbackExchange, LoopbackExchange.Outcome) {
    let listener = SharedDescriptor(FileDescriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)))
    // The kernel chooses a port.
    try #require(listen(listener.rawValue, 1) == 0)
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isNamed = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(listener.rawValue, .init(__sockaddr__: $0), &length) == 0
      }
    }
    try #require(isNamed)
    let exchange = LoopbackExchange(
      SharedDescriptor(try StreamSocket.makeTCP(isIPv6: false, owner: CurrentProcess.effectiveUser)), isIPv6: false,
      port: Int(UInt16(bigEndian: address.sin_port)),
      request: .init(method: "GET", endpoint: "/", wantsBody: wantsBody))
    _ = exchange.begin()
    let server = SharedDescriptor(
      FileDescriptor(owning: accept(listener.rawValue, .init(__sockaddr__: nil), nil)))
    try server.descriptor.setNonBlocking(true)
    let flood = [UInt8]((0..<(65536 / piece.utf8.count)).flatMap { _ in Array(piece.utf8) })
    var unsent = Array(head.utf8)[...]
    var outcome: LoopbackExchange.Outcome?
    for _ in 0..<10_000 where outcome == nil {
      while let count = try server.descriptor.writeSome(Array(unsent)) {
        unsent = unsent.dropFirst(count)
        if unsent.isEmpty { unsent = flood[...] }
      }
      let before = exchange.received
      outcome = exchange.advance()
      #expect(exchange.received - before <= LoopbackExchange.turn)
    }
    return (exchange, try #require(outcome))
  }

  private let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

  @Test(arguments: [
    "1\n.\n", "1;" + String(repeating: "x", count: 240) + "\n.\n", "8\n........\n",
    "4000\n" + String(repeating: ".", count: 0x4000) + "\n",
  ])
  func aBodyWithoutEnd(_ piece: String) throws {
    let (exchange, outcome) = try ask(chunked, piece)
    guard case .response(200, let body) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(body.count <= 2 * 65536 && body.allSatisfy { $0 == UInt8(ascii: ".") })
    #expect(exchange.received <= LoopbackExchange.largestResponse)
    if piece.utf8.count < 10 { #expect(body.count <= LoopbackExchange.mostPieces * 8) }
  }

  @Test func interimResponsesWithoutEnd() throws {
    let interim = "HTTP/1.1 100 Continue\r\nX: " + String(repeating: "x", count: 4000) + "\r\n\r\n"
    let (exchange, outcome) = try ask("", interim)
    guard case .failed = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(exchange.received <= LoopbackExchange.largestResponse)
  }

  @Test func theStatusAloneIsAnAnswerToWhoWantsNoMore() throws {
    let (_, outcome) = try ask(chunked, "1\n.\n", wantsBody: false)
    guard case .response(200, _) = outcome else {
      Issue.record("\(outcome)")
      return
    }
  }
}
