import Glibc
import LinuxKernel
import Testing

@testable import RegistryCredentials

@Suite struct CredentialTests {
  /// A directory that is gone when `body` is done.
  private func withDirectory<T>(_ body: (String) throws -> T) throws -> T {
    let path = "/tmp/config-\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    try makeDirectory(path, mode: 0o700)
    defer { try? removeTree(path) }
    return try body(path)
  }

  private func write(_ text: String, _ path: String, mode: UInt32 = 0o600) throws {
    try writeFileAtomically(path, Array(text.utf8), mode: mode)
  }

  private func lookUp(
    _ config: String, _ registry: String, helpers: [String: String] = [:], limit: Duration = .seconds(30)
  ) throws -> RegistryAuthorization? {
    try find(config, registry, helpers: helpers, limit: limit).authorization
  }

  private func find(
    _ config: String, _ registry: String, helpers: [String: String] = [:], limit: Duration = .seconds(30)
  ) throws -> DockerConfigFile.Lookup {
    try withDirectory { directory in
      try write(config, directory + "/config.json")
      for (name, script) in helpers {
        let path = "\(directory)/docker-credential-\(name)"
        try write("#!/bin/sh\n\(script)\n", path, mode: 0o755)
        // A child that another test forks has it open for writing for a moment, and then nobody can execute it (ETXTBSY): a
        // lease is given when nobody has (fcntl(2)).
        let file = try openFile(path, O_RDONLY)
        while fcntl(file.rawValue, F_SETLEASE, Int32(F_RDLCK)) == -1, errno == EAGAIN {
          CurrentProcess.pause(milliseconds: 1)
        }
      }
      let file = try DockerConfigFile(path: directory + "/config.json")
      let environment = [
        "PATH": "relative:\(directory)/none:\(directory):/bin:/usr/bin", "MARK": "seen", "DIR": directory,
      ]
      return try file.authorization(for: registry, environment: environment, limit: limit)
    }
  }

  @Test(arguments: [
    ("docker.io", "https://index.docker.io/v1/"), ("localhost", "localhost"), ("host:5000", "host:5000"),
    ("EVIL", "EVIL"), ("LOCALHOST", "LOCALHOST"), ("Docker.io.evil", "Docker.io.evil"),
  ])
  func onlyDockersOwnRegistryIsFiledUnderAnotherName(registry: String, server: String) {
    #expect(RegistryName.server(registry) == server)
  }

  @Test func loginsAreFoundByHostHoweverTheyAreFiled() throws {
    let config = #"""
      {"auths": {"https://index.docker.io/v1/": {"auth": "aHViOnMzY3IzdA=="},
        "https://Reg.example.com/v2/": {"auth": "bWU6cDphOnM=", "email": "x"},
        "token.example.com": {"auth": "bWU6", "identitytoken": "tok"},
        "empty.example.com": {}}, "HttpHeaders": {"X": "y"}}
      """#
    #expect(try lookUp(config, "docker.io")?.secret == .password(user: "hub", password: "s3cr3t"))
    #expect(try lookUp(config, "reg.example.com")?.secret == .password(user: "me", password: "p:a:s"))
    #expect(try lookUp(config, "token.example.com")?.secret == .identityToken("tok"))
    #expect(try lookUp(config, "empty.example.com") == nil)
    for other in ["other.example.com", "EVIL", "LOCALHOST", "localhost"] { #expect(try lookUp(config, other) == nil) }
  }

  @Test func theHeaderIsWhatTheEngineTakes() {
    let password = RegistryAuthorization(server: "r", secret: .password(user: "u", password: "p?>~"))
    #expect(
      Base64.decode(
        password.headerValue.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }.reduce(into: "") { $0.append($1) })
        == Array(#"{"username":"u","password":"p?>~","serveraddress":"r"}"#.utf8))
    #expect(password.headerValue.utf8.allSatisfy { $0 != 0x2b && $0 != 0x2f })
  }

  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func base64IsThatOfTheStandard(plain: String, encoded: String) {
    #expect(Base64.encodeURLSafe(Array(plain.utf8)) == encoded)
    #expect(Base64.decode(encoded) == Array(plain.utf8))
  }

  @Test(arguments: ["Zg", "Zg=", "Z===", "Zm9v!mFy", "Zg==Zg==", "Zm9v\n"])
  func whatIsNoBase64IsRefused(text: String) { #expect(Base64.decode(text) == nil) }

  @Test func aHelperIsAskedOnItsInput() throws {
    let helper = #"""
      [ "$1" = get ] || exit 9
      read server || true
      [ "$server" = reg.example.com ] && [ "$MARK" = seen ] && echo '{"ServerURL":"x","Username":"u","Secret":"hunter2"}'
      """#
    let config = #"{"credHelpers": {"reg.example.com": "mine"}, "credsStore": "other"}"#
    let found = try lookUp(config, "reg.example.com", helpers: ["mine": helper])
    #expect(found?.secret == .password(user: "u", password: "hunter2"))
    let token = #"cat >/dev/null; echo '{"Username":"<token>","Secret":"tok"}'"#
    #expect(try lookUp(config, "docker.io", helpers: ["other": token])?.secret == .identityToken("tok"))
  }

  @Test func aHelperWithoutAnEntryMeansAnonymous() throws {
    let config = #"{"credsStore": "none", "auths": {"reg.example.com": {}}}"#
    let helper = "echo 'credentials not found in native keychain'; exit 1"
    #expect(try lookUp(config, "reg.example.com", helpers: ["none": helper]) == nil)
  }

  @Test(arguments: [
    ("echo hunter2; exit 3", "failed with status 3"), ("echo hunter2 not json", "not valid JSON"),
    (#"echo '{"Username":1,"Secret":"hunter2"}'"#, "no Username and Secret"),
    (#"echo '{"Secret":"hunter2","Secret":"hunter2"}'"#, "not valid JSON"), ("kill -9 $$", "killed by signal 9"),
    ("while :; do echo hunter2hunter2hunter2hunter2; done", "longer than"),
  ])
  func aHelperThatFailsIsToldWithoutWhatItSaid(script: String, reason: String) throws {
    let error = #expect(throws: CredentialError.self) {
      try lookUp(#"{"credsStore": "bad"}"#, "docker.io", helpers: ["bad": script])
    }
    #expect(error?.kind == .helper)
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    #expect(error?.description.contains("hunter2") == false)
  }

  @Test func aHelperThatHangsIsKilled() throws {
    let error = #expect(throws: CredentialError.self) {
      let config = #"{"credsStore": "slow"}"#
      return try lookUp(
        config, "docker.io", helpers: ["slow": "exec sleep 1000"], limit: .milliseconds(100))
    }
    #expect(error?.kind == .timeout(seconds: 0.1))
  }

  @Test func aHelpersChildThatHoldsItsOutputDoesNotHoldUs() throws {
    // The child lives until the directory is gone, which is after the answer is here.
    let helper = #"""
      (while [ -d "$DIR" ]; do sleep 0.1; done) 2>/dev/null &
      echo '{"Username":"u","Secret":"s"}'
      """#
    let found = try lookUp(#"{"credsStore": "forks"}"#, "docker.io", helpers: ["forks": helper], limit: .seconds(20))
    #expect(found?.secret == .password(user: "u", password: "s"))
  }

  @Test func aGeneralHelperThatIsNotInstalledHasNothing() throws {
    let config = #"{"credsStore": "nosuch", "auths": {"reg.example.com": {"auth": "dTpw"}, "other": {}}}"#
    #expect(try lookUp(config, "reg.example.com")?.secret == .password(user: "u", password: "p"))
    let nothing = try find(config, "busybox")
    #expect(nothing.authorization == nil)
    #expect(nothing.warning?.contains("docker-credential-nosuch") == true)
    #expect(nothing.warning?.contains("credsStore") == true)
    #expect(try find(#"{"auths": {}}"#, "busybox").warning == nil)
  }

  @Test(arguments: ["", "\n", " \r\n\t"]) func anEmptyFileSaysNothing(config: String) throws {
    #expect(try lookUp(config, "docker.io") == nil)
  }

  @Test(arguments: ["missing", "../evil", "a/b", "a b"]) func aHelperThatIsNotThereIsNamed(name: String) throws {
    let error = #expect(throws: CredentialError.self) {
      try lookUp(#"{"credHelpers": {"reg.example.com": "\#(name)"}}"#, "reg.example.com")
    }
    #expect(error?.kind == .helper && error?.description.contains("docker-credential-\(name)") == true)
  }

  @Test(arguments: [
    #"{"auths": {"r": {"auth": "hunter2"}}}"#, #"{"auths": {"r": {"auth": "aHVudGVyMg=="}}}"#,
    #"{"auths": ["hunter2"]}"#,
    #"{"auths": {"hunter2": 1}}"#, #"{"hunter2": 1, "hunter2": 2}"#, "hunter2",
  ])
  func aFileThatIsWrongIsNamedAndNotQuoted(config: String) throws {
    let error = #expect(throws: CredentialError.self) { try lookUp(config, "docker.io") }
    #expect(error?.kind == .file)
    #expect(error?.description.contains("config.json: 1:") == true, "\(String(describing: error))")
    #expect(error?.description.contains("hunter2") == false)
  }

  @Test func aFileThatIsNotThereIsEmptyUnlessItMustBe() throws {
    let path = "/tmp/no-such-directory/config.json"
    #expect(try DockerConfigFile(path: path).authorization(for: "docker.io", environment: [:]).authorization == nil)
    #expect(throws: CredentialError.self) { try DockerConfigFile(path: path, mustExist: true) }
    #expect(DockerConfigFile.defaultPath(environment: ["DOCKER_CONFIG": "/a", "HOME": "/b"]) == "/a/config.json")
    #expect(DockerConfigFile.defaultPath(environment: ["HOME": "/b"]) == "/b/.docker/config.json")
    #expect(DockerConfigFile.defaultPath(environment: [:]) == nil)
  }

  @Test func secretsAreNotPrinted() throws {
    let authorization = RegistryAuthorization(server: "r", secret: .password(user: "u", password: "hunter2"))
    var dumped = ""
    dump(authorization, to: &dumped)
    dump(authorization.secret, to: &dumped)
    for text in ["\(authorization)", "\(authorization.secret)", String(reflecting: authorization), dumped] {
      #expect(!text.contains("hunter2"))
    }
  }
}
