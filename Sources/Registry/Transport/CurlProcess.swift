import Glibc
import LinuxKernel

/// A curl at work on one request, ended when nobody has it any more.
final class CurlProcess {
  /// What it writes: heads and a body. Never waited for.
  let output: SharedDescriptor
  private let errors: SharedDescriptor
  private let child: ChildProcess
  private(set) var isReaped = false

  init(_ request: CurlRequest, _ curl: CurlProgram) throws(RegistryError) {
    var request = request
    request.certificates = curl.certificatePath
    let configuration = try request.configuration()
    let pipe = try kernel("make a pipe") { () throws(Errno) in try makePipe() }
    let words = try kernel("make a pipe") { () throws(Errno) in try makePipe() }
    enlargePipe(pipe.second.rawValue, to: 1 << 20)
    child = try curl.start(configuration, output: pipe.second, errors: words.second)
    output = pipe.first
    errors = words.first
    try kernel("keep a pipe") { () throws(Errno) in
      try output.descriptor.setNonBlocking(true)
      try errors.descriptor.setNonBlocking(true)
    }
  }

  deinit { stop() }

  /// Ends it at once.
  func stop() {
    guard !isReaped else { return }
    isReaped = true
    // One that cannot be killed or reaped has ended already.
    try? child.signal(SIGKILL)
    _ = try? child.wait()
  }

  /// Its end, when it has closed its output and so is about to come: how it ended, and its words.
  func end() throws(RegistryError) -> (status: ExitStatus, words: [UInt8]) {
    if !ProcessHandle.waitForEnd(child.pidfd.rawValue, milliseconds: 5000) { try? child.signal(SIGKILL) }
    isReaped = true
    let status = try kernel("wait for curl") { () throws(Errno) in try child.wait().status }
    return (status, ((try? errors.descriptor.read(upTo: 4096)) ?? nil) ?? [])
  }
}
