import ContainerInit
import Glibc
import LaunchModel
import LinuxKernel
import Testing

/// One executor's conversation with container-init.
final class Conversation {
  let client: InitClient
  /// Everything that was heard, in its order.
  private(set) var heard: [InitEvent] = []

  init(_ client: InitClient) { self.client = client }

  /// Init has closed the connection, or has nothing to say for too long.
  struct Silence: Error, CustomStringConvertible {
    let description: String
  }

  func next() throws -> (event: InitEvent, descriptors: [SharedDescriptor]) {
    let deadline = Clock.now + UInt64(StartedInit.timeout) * 1_000_000
    while Clock.now < deadline {
      if client.hasUnsent { try client.flush() }
      switch client.nextEvent() {
      case .event(let event, let descriptors):
        heard.append(event)
        return (event, descriptors)
      case .closed(let why): throw Silence(description: why)
      case .nothing:
        _ = try waitUntilReady(client.descriptor, read: true, write: client.hasUnsent, timeoutMilliseconds: 1000)
      }
    }
    throw Silence(description: "nothing within \(StartedInit.timeout) ms, after \(heard)")
  }

  /// The next event that is meant; others are passed over.
  func hear<T>(_ pick: (InitEvent) -> T?) throws -> T {
    while true { if let found = pick(try next().event) { return found } }
  }

  /// What it knows of all runs.
  func reports() throws -> [RunReport] {
    try hear { if case .ready(_, let reports) = $0 { reports } else { nil } }
  }

  /// Asks for a run, which is held then.
  func spawn(_ spec: ProcessSpec, _ descriptors: [SharedDescriptor] = []) throws -> (key: RunKey, pid: Int32) {
    try client.send(.spawn(spec), descriptors: descriptors)
    let key = RunKey(spec.process, spec.run)
    return (key, try hear { if case .forked(key, let pid) = $0 { pid } else { nil } })
  }

  /// Asks for a run, and lets it go.
  @discardableResult
  func start(_ spec: ProcessSpec, _ descriptors: [SharedDescriptor] = []) throws -> (key: RunKey, pid: Int32) {
    let (key, pid) = try spawn(spec, descriptors)
    try client.send(.go(key))
    return (key, pid)
  }

  func end(_ key: RunKey) throws -> ExitRecord {
    try hear { if case .ended(let record) = $0, record.key == key { record } else { nil } }
  }

  /// Runs a command to its end.
  func run(_ spec: ProcessSpec, _ descriptors: [SharedDescriptor] = []) throws -> ExitRecord {
    try end(try start(spec, descriptors).key)
  }

  /// Runs a command line to its end, and what it wrote.
  func output(_ line: String, _ environment: [EnvironmentVariable] = []) throws -> String {
    var spec = ProcessSpec.shell(line)
    spec.environment += environment
    spec.logMode = .direct
    let pipe = try makePipe(nonBlocking: true)
    _ = try run(spec, [pipe.second, pipe.second])
    // All that it wrote is there when it has ended.
    return String(decoding: try pipe.first.descriptor.read(upTo: 65536) ?? [], as: UTF8.self)
  }
}

extension ProcessSpec {
  /// A command line that writes nowhere.
  static func shell(_ line: String, _ name: String = "main", run: UInt32 = 0, in directory: String = "/") -> ProcessSpec
  {
    ProcessSpec(
      process: name, run: run, command: .shell(line),
      environment: [EnvironmentVariable("PATH", "/usr/local/bin:/usr/bin:/bin")], workingDirectory: directory,
      logMode: .discard)
  }

  static func program(_ arguments: [String], path: String = "/usr/bin:/bin", in directory: String = "/") -> ProcessSpec
  {
    ProcessSpec(
      process: "main", run: 0, command: .program(arguments), environment: [EnvironmentVariable("PATH", path)],
      workingDirectory: directory, logMode: .discard)
  }
}

/// Writes a file that is to be executed.
///
/// A child that another test forks meanwhile has it open for writing for a moment, and then the kernel executes it for nobody
/// (ETXTBSY): a lease is given when nobody has (fcntl(2)).
func writeScript(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o755) throws {
  try writeFileAtomically(path, bytes, mode: mode)
  let file = try openFile(path, O_RDONLY)
  #expect(eventually { fcntl(file.rawValue, F_SETLEASE, Int32(F_RDLCK)) == 0 || errno != EAGAIN })
}

func writeScript(_ path: String, _ text: String, mode: UInt32 = 0o755) throws {
  try writeScript(path, Array(text.utf8), mode: mode)
}
