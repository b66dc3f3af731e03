import HTTP1
import LinuxKernel
import StrictJSON

/// A program `docker-credential-NAME` that keeps credentials: it gets the server on its standard input and answers with
/// JSON. Neither way leads over a command line, and nothing it writes is ever shown.
struct CredentialHelper {
  private static let answerLimit = 64 << 10
  /// `O_WRONLY`, which is the same on every Linux.
  private static let writeOnly: Int32 = 1

  let name: String
  let environment: [String: String]

  /// What it is called, for people.
  var program: String { "docker-credential-\(name)" }

  private func failure(_ detail: String, _ code: Int32? = nil, kind: CredentialError.Kind = .helper)
    -> CredentialError
  {
    CredentialError(
      kind, operation: "ask for registry credentials", place: printable(program.utf8), detail: detail,
      errorNumber: code)
  }

  /// The credentials for `server`, `nil` when the helper has none. Given up when something can be read from `interrupt`.
  func get(_ server: String, limit: Duration, interrupt: Int32?) throws(CredentialError) -> RegistryAuthorization? {
    if name.isEmpty { return nil }
    guard isNamed else { throw failure("this is no name for a credential helper") }
    guard let path = find() else {
      throw failure("there is no such program in PATH (\(excerpt((environment["PATH"] ?? "").utf8)))")
    }
    let (status, answer): (ExitStatus, [UInt8])
    do {
      (status, answer) = try run(path, server, limit, interrupt)
    } catch let error as Errno {
      throw failure("\(error)", error.code)
    } catch let error as SpawnError {
      throw failure("cannot be started: \(error)", error.errno.code)
    } catch let error as CredentialError {
      throw error
    } catch {
      throw failure("cannot be run")
    }
    guard status == .exited(0) else {
      // What helpers say, by their common protocol, when they have nothing for this server.
      let nothing = ["credentials not found in native keychain", "credentials not found"]
      let text = ASCII.trimmed(answer.prefix { $0 != ASCII.lineFeed && $0 != ASCII.carriageReturn })
      if nothing.contains(where: { text.elementsEqual($0.utf8) }) { return nil }
      switch status {
      case .exited(let code): throw failure("failed with status \(code)")
      case .signaled(let signal): throw failure("was killed by signal \(signal)")
      }
    }
    return try read(answer, server)
  }

  private func read(_ answer: [UInt8], _ server: String) throws(CredentialError) -> RegistryAuthorization? {
    let json: JSON
    do throws(JSONError) {
      json = try JSON(parsing: answer)
    } catch {
      throw failure("its answer is not valid JSON at \(error.position.line):\(error.position.column)")
    }
    guard let user = json["Username"]?.string, let secret = json["Secret"]?.string else {
      throw failure("its answer has no Username and Secret")
    }
    if secret.isEmpty { return nil }
    // The name that stands for "the secret is a token".
    if user.utf8.elementsEqual("<token>".utf8) {
      return RegistryAuthorization(server: server, secret: .identityToken(secret))
    }
    return RegistryAuthorization(server: server, secret: .password(user: user, password: secret))
  }

  private var isNamed: Bool { name.utf8.allSatisfy { ASCII.isAlphanumeric($0) || "_.-".utf8.contains($0) } }

  /// Whether there is no such program.
  var isMissing: Bool { !name.isEmpty && isNamed && find() == nil }

  /// The first program of this name in the absolute directories of PATH.
  private func find() -> String? {
    let search = environment["PATH"] ?? ""
    for directory in Array(search.utf8).split(separator: UInt8(ascii: ":")) where directory.first == UInt8(ascii: "/") {
      let path = "\(String(decoding: directory, as: UTF8.self))/\(program)"
      if let status = try? status(of: path, followLinks: true), status.isRegularFile, status.mode & 0o111 != 0 {
        return path
      }
    }
    return nil
  }

  private func run(
    _ path: String, _ server: String, _ limit: Duration, _ interrupt: Int32?
  ) throws -> (ExitStatus, [UInt8]) {
    // A file in memory as input: nothing to write to it later, so no pipe that could break.
    let input = try sealedMemory("server", Array(server.utf8))
    let null = try openFile("/dev/null", CredentialHelper.writeOnly)
    let pipe = try makePipe()
    try pipe.first.descriptor.setNonBlocking(true)
    var request = SpawnRequest(
      executable: .path(path), arguments: [program, "get"],
      descriptors: [input.rawValue, pipe.second.rawValue, null.rawValue])
    request.environment = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    request.newSession = true
    request.owners = [pipe.first, pipe.second]
    let child = try request.spawn()
    do {
      let answer = try collect(from: pipe.first.descriptor, until: child.pidfd, limit, interrupt)
      return (try child.wait().status, answer)
    } catch {
      // With whatever it has started: it leads a session.
      Children.signalGroup(child.pid, 9)
      try child.signal(9)
      _ = try child.wait()
      throw error
    }
  }

  /// What the helper writes until it has ended, whoever else may hold the other end of the pipe.
  private func collect(
    from output: borrowing FileDescriptor, until ended: borrowing FileDescriptor, _ limit: Duration,
    _ interrupt: Int32?
  ) throws -> [UInt8] {
    let poller = try Poller()
    try poller.add(output.rawValue, token: 0)
    try poller.add(ended.rawValue, token: 1)
    if let interrupt { try poller.add(interrupt, token: 2) }
    let (seconds, attoseconds) = limit.components
    let deadline =
      Clock.now + UInt64(clamping: min(seconds, 1_000_000_000)) * 1_000_000_000
      + UInt64(clamping: attoseconds / 1_000_000_000)
    var answer: [UInt8] = []
    var hasEnded = false
    while true {
      while let piece = try output.read(upTo: 4096) {
        answer += piece
        guard answer.count <= CredentialHelper.answerLimit else {
          throw failure("its answer is longer than \(CredentialHelper.answerLimit) bytes")
        }
        if piece.isEmpty { break }
      }
      if hasEnded { return answer }
      let now = Clock.now
      guard now < deadline else {
        let fraction = Double(attoseconds) / 1e18
        throw failure("gave up waiting for it after \(limit)", kind: .timeout(seconds: Double(seconds) + fraction))
      }
      let milliseconds = Int32(min((deadline - now + 999_999) / 1_000_000, 1_000_000))
      for event in try poller.wait(timeoutMilliseconds: milliseconds) {
        if event.token == 1 { hasEnded = true }
        if event.token == 2 {
          throw failure("given up", kind: .interrupted)
        }
        // A closed pipe stays ready; from here on only the end of the program is news.
        if event.token == 0, event.hangup { try poller.remove(output.rawValue) }
      }
    }
  }
}
