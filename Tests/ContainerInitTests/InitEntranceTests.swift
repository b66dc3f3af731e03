import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// This process stands for init: whoever may trace it takes the outer end. Other tests have sockets in it that look the
/// same, of inits that are played: what is looked at is what was made here.
@Suite struct InitEntranceTests {
  @Test func whatIsListenedOnComesIn() throws {
    let path = "/tmp/aurora-entrance-\(UInt64.random(in: 0 ... .max))"
    defer { unlink(path) }
    // Sockets that are none: a pair for something else, one that listens.
    let stream = try UnixSocket.pair(.stream)
    let other = try UnixSocket.listen(path + "-other", kind: .sequencedPackets)
    defer { unlink(path + "-other") }
    let entrance = try InitEntrance()
    let process = try openProcess(getpid())
    let numbers = [
      stream.first.rawValue, other.rawValue, entrance.channel.socket.rawValue, entrance.outside.rawValue,
    ]
    let outside = try #require(try InitEntrance.find(of: getpid(), process.rawValue, among: numbers))
    try outside.listen(at: path)
    guard case .message(.listen, let descriptors) = try entrance.channel.receive(InitRequest.self) else {
      Issue.record("nothing came in")
      return
    }
    let listener = try #require(descriptors.first)
    let client = try UnixSocket.connect(path, kind: .sequencedPackets)
    #expect(try UnixSocket.accept(listener.descriptor) != nil)
    _ = (client.rawValue, other.rawValue, stream.first.rawValue)
  }

  @Test func aPathThatIsTakenIsNone() throws {
    let entrance = try InitEntrance()
    let process = try openProcess(getpid())
    let numbers = [entrance.channel.socket.rawValue, entrance.outside.rawValue]
    let outside = try #require(try InitEntrance.find(of: getpid(), process.rawValue, among: numbers))
    #expect(throws: Errno.self) { try outside.listen(at: "/tmp") }
    guard case .nothing = try entrance.channel.receive(InitRequest.self) else {
      Issue.record("something came in")
      return
    }
  }
}
