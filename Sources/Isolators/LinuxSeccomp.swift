import Glibc
import LaunchModel
import LinuxKernel
import Seccomp

/// `linux/seccomp`: which system calls a process of the task can make at all, in a profile of Docker's format.
package struct LinuxSeccomp: Isolator {
  package static let name = "linux/seccomp"
  private let isRoot: Bool

  package init(host: HostFacts) { isRoot = host.isRoot }

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    switch container.seccomp {
    case .unconfined: break
    case .default:
      fragment.filter = try compile(nil, called: CompiledFilter.defaultProfile, container)
    case .file(let path):
      fragment.filter = try compile(try LinuxSeccomp.read(path), called: path, container)
    }
    return fragment
  }

  /// What goes on top of the profile of an engine, which nobody here knows: it refuses what engines let through and the
  /// default profile does not.
  package static func additional() throws(IsolationError) -> CompiledFilter {
    do {
      let compiled = try CompiledProfile(
        CompiledProfile.additionalText, capabilities: [], release: try kernelRelease())
      return CompiledFilter(
        profile: CompiledFilter.additionalProfile, digest: compiled.digest, program: compiled.program)
    } catch {
      throw IsolationError(name, "the seccomp profile \(CompiledFilter.additionalProfile): \(error)")
    }
  }

  /// - Parameter text: absent for the default profile.
  private func compile(_ text: [UInt8]?, called profile: String, _ container: ContainerConfig) throws(IsolationError)
    -> CompiledFilter
  {
    let capabilities = try mostCapabilities(container)
    do {
      let release = try kernelRelease()
      let compiled =
        if let text {
          try CompiledProfile(text, capabilities: capabilities, release: release)
        } else {
          try CompiledProfile.standard(capabilities: capabilities, release: release)
        }
      return CompiledFilter(profile: profile, digest: compiled.digest, program: compiled.program)
    } catch ProfileError.profile(let fault) {
      throw IsolationError(
        Self.name, "the seccomp profile \(profile):\(fault)", hint: "docs/seccomp.md says what a profile holds")
    } catch {
      throw IsolationError(Self.name, "the seccomp profile \(profile): \(error)")
    }
  }

  /// A profile lets through by capabilities what a process may ever have. An executor without root has none to give.
  private func mostCapabilities(_ container: ContainerConfig) throws(IsolationError) -> Capabilities {
    guard isRoot else { return [] }
    guard container.isolators.contains(LinuxCapabilities.name) else { return Capabilities(rawValue: .max) }
    return try LinuxCapabilities.bounding(container)
  }

  /// The text of a profile. It is the host's word on what a task may do: nobody but root, or whoever the executor is, may
  /// have written it.
  private static func read(_ path: String) throws(IsolationError) -> [UInt8] {
    let text: [UInt8]
    let found: FileStatus
    do throws(Errno) {
      // Without waiting for somebody to write into a pipe.
      let file = try openFile(path, O_RDONLY | O_NOCTTY | O_NONBLOCK)
      found = try status(of: file.rawValue)
      text = found.isRegularFile ? try file.readToEnd(limit: CompiledProfile.mostBytes) : []
    } catch {
      throw IsolationError(name, "cannot read the seccomp profile \(path)", error)
    }
    guard found.isRegularFile else { throw IsolationError(name, "the seccomp profile \(path) is no regular file") }
    guard [0, CurrentProcess.effectiveUser].contains(found.uid), found.permissions & 0o022 == 0 else {
      throw IsolationError(
        name, "the seccomp profile \(path) may have been written by others than root",
        hint: "chown it to root and chmod go-w it")
    }
    return text
  }
}
