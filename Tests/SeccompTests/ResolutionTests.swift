import LinuxKernel
import Testing

@testable import Seccomp

@Suite struct ResolutionTests {
  private func situation(_ capabilities: Capabilities = [], _ kernel: SeccompProfile.KernelVersion = .init(6, 1))
    -> SeccompProfile.Situation
  { .init(capabilities: capabilities, architecture: .amd64, kernel: kernel) }

  private func counts(
    includes: SeccompProfile.Circumstance = .init(), excludes: SeccompProfile.Circumstance = .init(),
    _ situation: SeccompProfile.Situation
  ) -> Bool {
    var profile = SeccompProfile(defaultAction: .errno(1))
    var entry = SeccompProfile.Entry(["read"], .allow)
    entry.includes = includes
    entry.excludes = excludes
    profile.entries = [entry]
    return !profile.rules(in: situation).isEmpty
  }

  private func circumstance(
    _ capabilities: [Capabilities] = [], architectures: [String] = [], kernel: SeccompProfile.KernelVersion? = nil
  ) -> SeccompProfile.Circumstance {
    var result = SeccompProfile.Circumstance()
    result.capabilities = capabilities
    result.architectures = architectures
    result.leastKernel = kernel
    return result
  }

  @Test func allCapabilitiesMustBeThere() throws {
    let admin = try #require(Capabilities(name: "SYS_ADMIN"))
    let chroot = try #require(Capabilities(name: "SYS_CHROOT"))
    let both = circumstance([admin, chroot])
    #expect(counts(includes: both, situation([admin, chroot])))
    #expect(!counts(includes: both, situation([admin])))
    #expect(counts(excludes: both, situation()))
    #expect(!counts(excludes: both, situation([chroot])))
  }

  @Test func kernelAndArchitectureCount() {
    #expect(!counts(includes: circumstance(kernel: .init(6, 2)), situation()))
    #expect(counts(includes: circumstance(kernel: .init(6, 1)), situation()))
    #expect(counts(includes: circumstance(kernel: .init(5, 20)), situation()))
    #expect(!counts(excludes: circumstance(kernel: .init(4, 8)), situation()))
    #expect(counts(excludes: circumstance(kernel: .init(4, 8)), situation([], .init(4, 7))))
    #expect(counts(includes: circumstance(architectures: ["x32", "amd64"]), situation()))
    #expect(!counts(includes: circumstance(architectures: ["arm64"]), situation()))
    #expect(!counts(excludes: circumstance(architectures: ["amd64"]), situation()))
  }

  @Test func onlyArchitecturesThatAProcessCanReachAreInTheFilter() {
    var profile = SeccompProfile(defaultAction: .allow)
    #expect(profile.architectures(in: situation()) == [.amd64])
    profile.architectures = ["SCMP_ARCH_X86_64": ["SCMP_ARCH_X86", "SCMP_ARCH_MIPS", "SCMP_ARCH_ARM"]]
    #expect(profile.architectures(in: situation()) == [.amd64, .i386])
  }
}
