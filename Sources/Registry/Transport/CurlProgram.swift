import Glibc
import LinuxKernel

/// The curl of this host, and how it is started: it parses what servers say, so it is nobody's and can do nothing here.
package struct CurlProgram: Sendable {
  package let path: String
  /// This program, whose mode `FetchWorker` gives up root before it becomes curl; `nil` starts curl as who we are.
  let launcher: String?
  /// What curl may know of our environment.
  let environment: [String]
  /// What `--ca-file` has, in memory, where also nobody may read it.
  let certificates: SharedDescriptor?

  private static let passed = [
    "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE",
    "SSL_CERT_DIR",
  ]

  /// Finds curl in the absolute directories of `PATH`, else of the usual ones.
  /// - Parameters:
  ///   - certificateFile: `--ca-file`.
  ///   - launcher: nil where there is no root to give up.
  package init(environment: [String: String], certificateFile: String?, launcher: String?) throws(RegistryError) {
    let search = (environment["PATH"] ?? "") + ":/usr/bin:/bin:/usr/local/bin"
    let found = search.utf8.split(separator: UInt8(ascii: ":")).lazy
      .filter { $0.first == UInt8(ascii: "/") }
      .map { String(Substring($0)) + "/curl" }
      .first { path in
        guard let status = try? status(of: path, followLinks: true) else { return false }
        return status.isRegularFile && status.mode & 0o111 != 0
      }
    guard let found else {
      throw RegistryError(
        .configuration, why: "there is no curl on this host, and registries are asked by it",
        hint: "`apt install curl ca-certificates`")
    }
    path = found
    self.launcher = launcher
    self.environment =
      CurlProgram.passed.compactMap { name in environment[name].map { "\(name)=\($0)" } } + ["LC_ALL=C"]
    guard let certificateFile else {
      certificates = nil
      return
    }
    let bytes: [UInt8]
    do throws(Errno) { bytes = try readRegularFile(certificateFile, limit: 4 << 20, followLinks: true) } catch {
      throw RegistryError(
        .configuration, why: "--ca-file \(printable(certificateFile.utf8)): \(error)",
        hint: "it is a file of certificates in PEM")
    }
    certificates = try kernel("keep the certificates of --ca-file") { () throws(Errno) in
      SharedDescriptor(try sealedMemory("certificates", bytes))
    }
  }

  /// Where the child sees the certificates.
  var certificatePath: String? { certificates == nil ? nil : "/proc/self/fd/\(CurlProgram.certificateNumber)" }
  private static let certificateNumber = 3

  /// Starts curl with this configuration as its standard input, which nobody else ever sees.
  func start(_ configuration: [UInt8], output: SharedDescriptor, errors: SharedDescriptor) throws(RegistryError)
    -> ChildProcess
  {
    let input = try kernel("hand curl its request") { () throws(Errno) in
      SharedDescriptor(try sealedMemory("request", configuration))
    }
    // The first option keeps the user's own .curlrc out.
    let words = [path, "--disable", "--config", "-"]
    var spawn = SpawnRequest(
      executable: .path(launcher ?? path),
      arguments: launcher == nil ? words : ["aurora-executor", FetchWorker.mode] + words,
      descriptors: [input.rawValue, output.rawValue, errors.rawValue] + (certificates.map { [$0.rawValue] } ?? []))
    spawn.environment = environment
    spawn.newSession = true
    spawn.owners = [input, output, errors] + (certificates.map { [$0] } ?? [])
    spawn.parentDeathSignal = SIGKILL
    do throws(SpawnError) { return try spawn.spawn() } catch {
      throw RegistryError(error.errno, doing: "start curl: \(error.stage)")
    }
  }
}
