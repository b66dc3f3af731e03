import Glibc
import LaunchModel
import LinuxKernel
import Seccomp
import Synchronization

/// `linux/seccomp`: which system calls a process of the task can make at all, in a profile of Docker's format.
package struct LinuxSeccomp: Isolator {
  package static let name = "linux/seccomp"
  private let isRoot: Bool
  private let lastOne = LastFilter()

  package init(host: HostFacts) { isRoot = host.isRoot }

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    switch container.seccomp {
    case .unconfined: break
    case .default:
      fragment.filter = try compile(CompiledProfile.defaultText, called: "default", container)
    case .file(let path):
      fragment.filter = try compile(try LinuxSeccomp.read(path), called: path, container)
    }
    return fragment
  }

  private func compile(_ text: [UInt8], called profile: String, _ container: ContainerConfig) throws(IsolationError)
    -> CompiledFilter
  {
    let capabilities = try mostCapabilities(container)
    if let filter = lastOne.filter(of: text, capabilities, profile) { return filter }
    do {
      let compiled = try CompiledProfile(text, capabilities: capabilities, release: try kernelRelease())
      let filter = CompiledFilter(profile: profile, digest: compiled.digest, program: compiled.program)
      lastOne.keep(filter, of: text, capabilities)
      return filter
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

/// The filter that was compiled last: a launch asks for its plan more than once.
private final class LastFilter: Sendable {
  private struct Kept {
    let text: [UInt8]
    let capabilities: Capabilities
    let filter: CompiledFilter
  }

  private let kept = Mutex<Kept?>(nil)

  func filter(of text: [UInt8], _ capabilities: Capabilities, _ profile: String) -> CompiledFilter? {
    kept.withLock { kept in
      guard let kept, kept.capabilities == capabilities, kept.filter.profile == profile, kept.text == text else {
        return nil
      }
      return kept.filter
    }
  }

  func keep(_ filter: CompiledFilter, of text: [UInt8], _ capabilities: Capabilities) {
    kept.withLock { $0 = Kept(text: text, capabilities: capabilities, filter: filter) }
  }
}
