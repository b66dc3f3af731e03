import ContainerInit
import Glibc
import LaunchModel
import LinuxKernel

/// What a container's init does for the executor beside running the task: sockets of the container's network, and
/// commands that are no runs. Each answer goes to who asked.
final class ContainerServices {
  private let client: InitClient
  private var lastID: UInt32 = 0
  private var sockets: [UInt32: (Result<SharedDescriptor, Errno>) -> Void] = [:]
  private var commands: [UInt32: (ExitRecord) -> Void] = [:]

  init(_ client: InitClient) { self.client = client }

  /// A TCP socket in the container's network namespace, not connected. Which network it belongs to was decided when it was
  /// made: it can be used from here.
  func openSocket(isIPv6: Bool, then: @escaping (Result<SharedDescriptor, Errno>) -> Void) {
    let id = nextID()
    sockets[id] = then
    send(.openSocket(id, isIPv6: isIPv6))
  }

  /// Runs a command as the task's role, in its cgroups and under its limits. It ends with the connection to init.
  ///
  /// - Parameter output: what becomes its standard output and standard error.
  /// - Returns: the number to kill it by.
  func execute(_ spec: ProcessSpec, output: SharedDescriptor, then: @escaping (ExitRecord) -> Void) -> UInt32 {
    let id = nextID()
    commands[id] = then
    send(.execute(id, spec), [output, output])
    return id
  }

  /// SIGKILL to the command and its process group; its end is told as any other.
  func kill(_ id: UInt32) { send(.killCommand(id)) }

  /// Takes an answer of init; false when the event is not for us.
  func take(_ event: InitEvent, _ descriptors: [SharedDescriptor]) -> Bool {
    switch event {
    case .socket(let id):
      let answer = descriptors.first.map { Result<SharedDescriptor, Errno>.success($0) }
      // The kernel leaves out what there is no room for here.
      sockets.removeValue(forKey: id)?(answer ?? .failure(Errno("recvmsg", code: EMFILE)))
    case .noSocket(let id, let code): sockets.removeValue(forKey: id)?(.failure(Errno("socket", code: code)))
    case .executed(let id, let record): commands.removeValue(forKey: id)?(record)
    default: return false
    }
    return true
  }

  private func nextID() -> UInt32 {
    lastID &+= 1
    return lastID
  }

  /// An init that is gone is noticed where its events are read; a question to it times out.
  private func send(_ request: InitRequest, _ descriptors: [SharedDescriptor] = []) {
    bestEffort("ask container-init for a health check", tolerating: EPIPE, ECONNRESET) {
      try client.send(request, descriptors: descriptors)
    }
  }
}
