import LinuxKernel
import Testing

@testable import Seccomp

@Suite struct ResolutionTests {
  private func situation(_ capabilities: Capabilities = [], _ kernel: SeccompProfile.KernelVersion = .init(6, 1))
    -> SeccompProfile.Situation
  { .init(capabilities: capabilities, architecture: .x86_64, kernel: kernel) }

  private func counts(
    _ change: (inout SeccompProfile.Entry) -> Void, _ situation: SeccompProfile.Situation
  ) -> Bool {
    var profile = SeccompProfile(defaultAction: .errno(1))
    var entry = SeccompProfile.Entry(["read"], .allow)
    change(&entry)
    profile.entries = [entry]
    return !profile.rules(in: situation).isEmpty
  }

  @Test func allCapabilitiesMustBeThere() throws {
    let admin = try #require(Capabilities(name: "SYS_ADMIN"))
    let chroot = try #require(Capabilities(name: "SYS_CHROOT"))
    let both: (inout SeccompProfile.Entry) -> Void = { $0.includes.capabilities = [admin, chroot] }
    #expect(counts(both, situation([admin, chroot])))
    #expect(!counts(both, situation([admin])))
    let neither: (inout SeccompProfile.Entry) -> Void = { $0.excludes.capabilities = [admin, chroot] }
    #expect(counts(neither, situation()))
    #expect(!counts(neither, situation([chroot])))
  }

  @Test func kernelAndArchitectureCount() {
    #expect(!counts({ $0.includes.leastKernel = .init(6, 2) }, situation()))
    #expect(counts({ $0.includes.leastKernel = .init(6, 1) }, situation()))
    #expect(counts({ $0.includes.leastKernel = .init(5, 20) }, situation()))
    #expect(!counts({ $0.excludes.leastKernel = .init(4, 8) }, situation()))
    #expect(counts({ $0.excludes.leastKernel = .init(4, 8) }, situation([], .init(4, 7))))
    #expect(counts({ $0.includes.architectures = ["x32", "amd64"] }, situation()))
    #expect(!counts({ $0.includes.architectures = ["arm64"] }, situation()))
    #expect(!counts({ $0.excludes.architectures = ["amd64"] }, situation()))
  }

  @Test func onlyArchitecturesThatAProcessCanReachAreInTheFilter() {
    var profile = SeccompProfile(defaultAction: .allow)
    #expect(profile.architectures(in: situation()) == [.x86_64])
    profile.architectures = ["SCMP_ARCH_X86_64": ["SCMP_ARCH_X86", "SCMP_ARCH_MIPS", "SCMP_ARCH_ARM"]]
    #expect(profile.architectures(in: situation()) == [.x86_64, .x86])
  }

  @Test func aRefusalUnderAConditionHasAFilterOfItsOwn() {
    let refusal = SeccompProfile.Rule("ioctl", .errno(1), [.init(1, .maskedEqual, 0xffff_ffff, 0x5412)])
    let layers = FilterLayers.split(
      [.init("read", .allow), .init("ioctl", .allow), refusal, .init("ipc", .allow), .init("socketcall", .errno(1))],
      defaultAction: .errno(38))
    #expect(
      layers == [
        FilterLayer(
          defaultAction: .errno(38),
          rules: [
            .init("read", .allow), .init("ioctl", .allow), .init("ipc", .allow), .init("socketcall", .errno(1)),
          ]),
        FilterLayer(defaultAction: .allow, rules: [refusal, .init("socketcall", .errno(1))]),
      ])
  }

  @Test func withoutContradictionsThereIsOneFilter() {
    let rules: [SeccompProfile.Rule] = [.init("mount", .errno(1)), .init("clone3", .errno(38))]
    #expect(FilterLayers.split(rules, defaultAction: .allow) == [FilterLayer(defaultAction: .allow, rules: rules)])
  }

  @Test func comparisonsOfIntegersSeeWhatTheKernelSees() {
    let equal = IntegerArguments.narrowed([.init("ioctl", .errno(1), [.init(1, .equal, 0x5412)])])
    #expect(equal == [.init("ioctl", .errno(1), [.init(1, .maskedEqual, 0xffff_ffff, 0x5412)])])
    let above = IntegerArguments.narrowed([.init("socket", .allow, [.init(0, .greater, 40)])])
    #expect(above.last == .init("socket", .errno(1), [.init(0, .greater, 0xffff_ffff)]))
    #expect(above.count == 2)
    #expect(IntegerArguments.narrowed([.init("socket", .allow, [.init(0, .less, 38)])]).count == 1)
    #expect(IntegerArguments.narrowed([.init("socket", .errno(1), [.init(0, .less, 38)])]).count == 2)
    // A pointer has 64 bits.
    #expect(IntegerArguments.narrowed([.init("prlimit64", .errno(1), [.init(2, .notEqual, 0)])]).count == 1)
  }
}
