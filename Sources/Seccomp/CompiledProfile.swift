import LinuxKernel
import StrictJSON

/// A profile as the kernel takes it.
package struct CompiledProfile: Sendable, Equatable {
  /// SHA-256 of the profile's text.
  package let digest: String
  /// `struct sock_filter` each, in the order to install them.
  package let programs: [[UInt8]]

  /// Changes with whatever makes other programs of the same profile.
  private static let format = 1

  /// The text of the profile of a task that asks for none.
  package static var defaultText: [UInt8] { Array(DefaultProfile.text.utf8) }

  /// - Parameters:
  ///   - text: a profile in Docker's JSON format.
  ///   - release: the kernel's, as uname(2) tells it.
  ///   - cache: where programs are kept; without it they are compiled each time.
  package init(
    _ text: [UInt8], capabilities: Capabilities, release: String, cache: FilterCache? = nil
  ) throws(ProfileError) {
    digest = hexadecimal(sha256(text))
    guard let kernel = SeccompProfile.KernelVersion(release: release) else {
      throw .compilation("the kernel's release \(release.quotedForMessage) is no version")
    }
    // A line each, so that no two lists of values read the same.
    let source = [
      "\(CompiledProfile.format)", digest, String(capabilities.rawValue, radix: 16), Architecture.own.name, release,
      FilterCompiler.libraryVersion,
    ].joined(separator: "\n")
    let name = hexadecimal(sha256(Array(source.utf8)))
    if let kept = cache?.programs(name) {
      programs = kept
      return
    }
    let profile: SeccompProfile
    do throws(JSONError) { profile = try SeccompProfile(parsing: text) } catch { throw .profile(error) }
    do throws(Errno) {
      programs = try FilterCompiler.compile(
        profile, SeccompProfile.Situation(capabilities: capabilities, architecture: .own, kernel: kernel))
    } catch {
      throw .compilation("it cannot be compiled: \(error)")
    }
    cache?.keep(programs, as: name)
  }
}

/// Why there is no filter of a profile.
package enum ProfileError: Error, Sendable {
  /// A fault of its text, with its place.
  case profile(JSONError)
  case compilation(String)
}
