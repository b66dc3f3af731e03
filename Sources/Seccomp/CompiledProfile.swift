import Glibc
import LinuxKernel
import StrictJSON

/// A profile as the kernel takes it.
package struct CompiledProfile: Sendable, Equatable {
  /// SHA-256 of the profile's text.
  package let digest: String
  /// `struct sock_filter`, 8 bytes each.
  package let program: [UInt8]

  /// The longest text of a profile.
  package static let mostBytes = SeccompProfile.limits.bytes

  /// The text of the profile of a task that asks for none.
  package static var defaultText: [UInt8] { Array(DefaultProfile.text.utf8) }

  /// The text of what an engine's own profile has added to it.
  package static var additionalText: [UInt8] { Array(AdditionalProfile.text.utf8) }

  package init(digest: String, program: [UInt8]) {
    self.digest = digest
    self.program = program
  }

  /// The profile of a task that asks for none.
  ///
  /// It was compiled beforehand for the capabilities that nearly every task has: compiling takes a millisecond of each launch.
  package static func standard(capabilities: Capabilities, release: String) throws(ProfileError) -> CompiledProfile {
    guard let kernel = SeccompProfile.KernelVersion(release: release), kernel >= DefaultProgram.oldestKernel,
      capabilities.rawValue == DefaultProgram.capabilities, Architecture.own == .amd64
    else { return try CompiledProfile(defaultText, capabilities: capabilities, release: release) }
    // Both architectures have the lower byte first, as the kernel's structure has it.
    return CompiledProfile(
      digest: DefaultProgram.digest, program: DefaultProgram.instructions.withUnsafeBytes { Array($0) })
  }

  /// - Parameters:
  ///   - text: a profile in Docker's JSON format.
  ///   - capabilities: the most that a process may ever have.
  ///   - release: the kernel's, as uname(2) tells it.
  package init(_ text: [UInt8], capabilities: Capabilities, release: String) throws(ProfileError) {
    digest = hexadecimal(sha256(text))
    guard let kernel = SeccompProfile.KernelVersion(release: release) else {
      throw .compilation("the kernel's release \(release.quotedForMessage) is no version")
    }
    let profile: SeccompProfile
    do throws(JSONError) { profile = try SeccompProfile(parsing: text) } catch { throw .profile(error) }
    do throws(Errno) {
      program = try FilterCompiler.compile(
        profile, SeccompProfile.Situation(capabilities: capabilities, architecture: .own, kernel: kernel))
    } catch {
      throw .compilation(error.code == E2BIG ? "it has more rules than the kernel takes" : "\(error)")
    }
  }
}

/// Why there is no filter of a profile.
package enum ProfileError: Error, Sendable, CustomStringConvertible {
  /// A fault of its text, with its place.
  case profile(JSONError)
  case compilation(String)

  package var description: String {
    switch self {
    case .profile(let fault): fault.description
    case .compilation(let reason): reason
    }
  }
}
