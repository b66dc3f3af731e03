import HTTP1
import Images
import LinuxKernel
import RegistryCredentials

/// Who may ask a registry, and how: what the command line and the environment say, as a value.
package struct RegistryAccess: Sendable {
  /// The registry that is asked in place of Docker's own (`--docker-registry`).
  package var mirror: String?
  /// Registries with which plain HTTP may be spoken (`--plain-http`).
  package var plainHTTP: [String] = []
  /// `--docker-config`: a file, or the directory in which `config.json` is.
  package var configuration: String?
  /// `--ca-file`.
  package var certificates: String?
  /// This process' environment, of which credential helpers and curl get what they need.
  package var environment: [String: String] = [:]
  /// The program whose mode `FetchWorker` starts curl; `nil` where there is no root to give up.
  package var launcher: String?
  package var retries = RetryPolicy()
  package var timeouts = TransferTimeouts()

  package init() {}

  /// Takes what this process' environment says, and this program to start curl by where there is root to give up.
  package mutating func takeEnvironment() {
    for variable in HostEnvironment.all {
      let bytes = Array(variable.utf8)
      guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")) else { continue }
      let name = String(decoding: bytes[..<equals], as: UTF8.self)
      if environment[name] == nil { environment[name] = String(decoding: bytes[(equals + 1)...], as: UTF8.self) }
    }
    launcher = CurrentProcess.effectiveUser == 0 ? CurrentProcess.program : nil
  }

  /// Where credentials are: what is named, else what `REGISTRY_AUTH_FILE` names, else where `docker login` leaves them.
  func credentialFile() throws(RegistryError) -> DockerConfigFile? {
    let named = configuration ?? environment["REGISTRY_AUTH_FILE"].flatMap { $0.isEmpty ? nil : $0 }
    guard let path = named ?? DockerConfigFile.defaultPath(environment: environment) else { return nil }
    return try credentials { () throws(CredentialError) in
      try DockerConfigFile(path: path, mustExist: configuration != nil)
    }
  }

  func credentials<T>(_ body: () throws(CredentialError) -> T) throws(RegistryError) -> T {
    do throws(CredentialError) { return try body() } catch {
      throw RegistryError(error.kind == .interrupted ? .interrupted : .configuration, why: error.description)
    }
  }
}
