import Glibc
import LinuxKernel
import PlayedInit
import StrictJSON
import TaskStore
import Testing

@testable import Supervision

/// Clients that mean no good, or know no better: the executor waits for none of them, and none keeps another from being
/// answered.
@Suite struct ControlServerTests {
  private let path = "/tmp/aurora-control-\(UInt64.random(in: 0 ... .max))"
  private let paths: TaskPaths
  private let server: ControlServer

  init() throws {
    paths = TaskPaths(workDirectory: path + "/work", runDirectory: path, taskID: "t-1")
    try makeDirectories(paths.run, mode: 0o700)
    server = try ControlServer(paths)
  }

  /// Serves until something is so.
  private func serve(until isSo: () -> Bool) -> Bool {
    waitUntil {
      server.serve { request, _ in request == .status ? .done([("state", "here")]) : .done([]) }
      return isSo()
    }
  }

  /// Asks, and serves until there is an answer.
  private func ask(_ peer: ControlPeer, _ request: ControlRequest) throws -> JSON? {
    try peer.say(request.json(tasks: nil).compact)
    guard serve(until: { hasNews(peer) }) else { return nil }
    return try peer.hear()
  }

  private func hasNews(_ peer: ControlPeer) -> Bool { (try? StreamSocket.waiting(on: peer.socket.rawValue)) == .bytes }
  private func isCutOff(_ peer: ControlPeer) -> Bool { (try? StreamSocket.waiting(on: peer.socket.rawValue)) == .end }

  private func close() { try? removeTree(path) }

  @Test func whoSaysNothingKeepsNobodyWaiting() throws {
    defer { close() }
    let silent = try ControlPeer(paths)
    let half = try ControlPeer(paths)
    try half.socket.descriptor.writeAll(Array(#"{"version": 1, "#.utf8))
    let peer = try ControlPeer(paths)
    #expect(try ask(peer, .status)?["state"]?.string == "here")
    try half.say(#""request": "status"}"#)
    #expect(serve { hasNews(half) })
    #expect(try half.hear()["ok"]?.bool == true)
    #expect(!isCutOff(silent))
  }

  @Test func aClientTooManyIsCutOffAndTheOthersStay() throws {
    defer { close() }
    let first = try ControlPeer(paths)
    var peers: [ControlPeer] = []
    for _ in 1..<64 {
      peers.append(try ControlPeer(paths))
      server.serve { _, _ in .done([]) }
    }
    let surplus = try ControlPeer(paths)
    #expect(serve { isCutOff(surplus) })
    #expect(try ask(first, .status)?["ok"]?.bool == true)
    // A place that becomes free is the next one's.
    peers.removeLast()
    _ = try ask(first, .status)
    #expect(try ask(try ControlPeer(paths), .status)?["ok"]?.bool == true)
  }

  @Test func aLineWithoutEndIsCutOff() throws {
    defer { close() }
    let peer = try ControlPeer(paths)
    try peer.socket.descriptor.setNonBlocking(true)
    CurrentProcess.ignoreBrokenPipes()
    let flood = [UInt8](repeating: UInt8(ascii: "x"), count: 4096)
    var isOver = false
    let isCut = serve {
      do throws(Errno) { _ = try peer.socket.descriptor.writeSome(flood) } catch { isOver = true }
      return isOver
    }
    #expect(isCut)
  }

  @Test func aSubscriberWhoDoesNotReadIsCutOff() throws {
    defer { close() }
    let lazy = try ControlPeer(paths)
    let keen = try ControlPeer(paths)
    #expect(try ask(lazy, .subscribe)?["ok"]?.bool == true)
    let long = String(repeating: "x", count: 60_000)
    // As much as its socket takes, and what is kept for it.
    for _ in 0..<100 { server.publish(JSON(object: [("event", JSON(long))])) }
    #expect(lazy.isCutOff())
    #expect(try ask(keen, .status)?["state"]?.string == "here")
  }

  @Test func aSocketThatWasRemovedIsMadeAnew() throws {
    defer { close() }
    let before = try ControlPeer(paths)
    #expect(try ask(before, .status)?["ok"]?.bool == true)
    try removeFile(paths.executorSocket)
    try server.listenAnew()
    #expect(try ask(try ControlPeer(paths), .status)?["ok"]?.bool == true)
    // Connections that there are stay.
    #expect(try ask(before, .status)?["ok"]?.bool == true)
  }

  @Test func whoIsHeardNoMoreSeesTheEnd() throws {
    defer { close() }
    let known = try ControlPeer(paths)
    _ = try ask(known, .status)
    let waiting = try ControlPeer(paths)
    server.close()
    #expect(known.isCutOff() && waiting.isCutOff())
  }

  @Test func anAnswerThatNobodyUnderstandsIsAnError() throws {
    defer { close() }
    let paths = TaskPaths(workDirectory: path + "/work", runDirectory: path, taskID: "t-2")
    try makeDirectories(paths.run, mode: 0o700)
    let listener = SharedDescriptor(try UnixSocket.listen(paths.executorSocket, kind: .stream))
    let client = try ControlClient(paths)
    let peer = try accepted(by: listener)
    // Nothing comes in time.
    #expect(try client.ask(.status, within: 1) == nil)
    try peer.descriptor.writeAll(Array("what?\n{\"ok\": false, \"error\": \"no\\n\"}\n".utf8))
    #expect(throws: ExecutorFailure.self) { try client.ask(.status, within: 10_000) }
    let refusal = #expect(throws: ExecutorFailure.self) { try client.ask(.status, within: 10_000) }
    #expect(refusal?.kind == .failed && refusal?.message == "the executor of t-2 refuses: no\\x0a")
    #expect(!client.waitForEnd(seconds: 0))
  }
}
