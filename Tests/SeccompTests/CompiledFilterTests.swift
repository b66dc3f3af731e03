import LinuxKernel
import StrictJSON
import Testing

@testable import Seccomp

private let allow = UInt32(0x7fff_0000)
private let eperm = UInt32(0x0005_0001)
private let enosys = UInt32(0x0005_0026)

/// fscrypt's set policy, add key, remove key, and that for all users; btrfs' new snapshot and subvolume, both once more, and
/// the flags of one (linux/fscrypt.h, linux/btrfs.h).
private let fileSystemRequests: [UInt64] = [
  0x800c_6613, 0xc050_6617, 0xc040_6618, 0xc040_6619, 0x5000_9401, 0x5000_940e, 0x5000_9417, 0x5000_9418, 0x4008_941a,
]

/// Calls of one architecture by name, decided by compiled programs.
private struct Decider {
  let machine: FilterMachine

  init(_ program: [UInt8]) { machine = FilterMachine(program: program) }

  init(_ rules: String, default action: String = #""SCMP_ACT_ERRNO", "defaultErrnoRet": 38"#) throws {
    let text =
      #"{"defaultAction": \#(action), "archMap": [{"architecture": "SCMP_ARCH_X86_64", "#
      + #""subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}], "syscalls": [\#(rules)]}"#
    self.init(try CompiledProfile(Array(text.utf8), capabilities: [], release: "6.1.0").program)
  }

  func callAsFunction(_ name: String, _ arguments: [UInt64] = [], on architecture: Architecture = .amd64) throws
    -> UInt32
  {
    let number = try #require(
      SystemCallNumbers.number(name, on: architecture), "\(name) is no call of \(architecture)")
    return try self(number: number, arguments, on: architecture)
  }

  func callAsFunction(number: UInt32, _ arguments: [UInt64] = [], on architecture: Architecture) throws -> UInt32 {
    // The kernel says x86_64 for x32, and gives a 32-bit process' arguments without their upper half.
    let token = architecture == .x32 ? Architecture.amd64.token : architecture.token
    let is32 = architecture == .i386 || architecture == .arm
    return try machine.decision(
      .init(
        architecture: token, number: number,
        arguments: is32 ? arguments.map { $0 & 0xffff_ffff } : arguments))
  }
}

/// What goes on top of an engine's profile.
@Suite struct AdditionalProfileTests {
  @Test(arguments: [Architecture.amd64, .i386, .x32, .arm64, .arm]) func itRefusesWhatEnginesForget(
    _ architecture: Architecture
  ) throws {
    let own = [Architecture.arm64, .arm].contains(architecture) ? Architecture.arm64 : .amd64
    let decide = Decider(
      try FilterCompiler.compile(
        try SeccompProfile(parsing: CompiledProfile.additionalText),
        .init(capabilities: [], architecture: own, kernel: .init(4, 8))))
    for name in ["io_uring_setup", "io_uring_enter", "io_uring_register"] {
      #expect(try decide(name, on: architecture) == eperm, "\(name)")
    }
    for upper in [UInt64(0), 1 << 32, 0xffff_ffff << 32] {
      for request in fileSystemRequests {
        #expect(try decide("ioctl", [3, upper | request], on: architecture) == eperm)
      }
      for family in [UInt64(38), 40] {
        #expect(try decide("socket", [upper | family, 1, 0], on: architecture) == eperm)
      }
      #expect(try decide("socket", [upper | 16, 2, upper | 11], on: architecture) == eperm)
      #expect(try decide("fcntl", [0, upper | 1024, 1], on: architecture) == eperm)
      #expect(try decide("fcntl", [0, upper | 1040, 1], on: architecture) == eperm)
    }
    if architecture == .i386 { #expect(try decide("socketcall", [1, 0x1000], on: architecture) == eperm) }
    // Everything else is the engine's to judge.
    for name in ["read", "clone", "clone3", "mount", "bpf", "keyctl", "ptrace", "unshare", "ioctl", "execve"] {
      #expect(try decide(name, [0, 0x5412], on: architecture) == allow, "\(name)")
    }
    for family in [UInt64(1), 2, 10, 16, 17] { #expect(try decide("socket", [family], on: architecture) == allow) }
    #expect(try decide("fcntl", [0, 1025], on: architecture) == allow)
    #expect(try decide(number: 700, on: architecture) == allow)
  }
}

/// The numbers of every architecture are known everywhere.
@Suite struct ARMProfileTests {
  @Test(arguments: [Architecture.arm64, .arm]) func theDefaultProfileHolds(_ architecture: Architecture) throws {
    let decide = Decider(
      try FilterCompiler.compile(
        try SeccompProfile(parsing: CompiledProfile.defaultText),
        .init(capabilities: [], architecture: .arm64, kernel: .init(6, 1))))
    for name in ["read", "openat", "execve", "socket", "futex", "prlimit64"] {
      #expect(try decide(name, on: architecture) == allow, "\(name)")
    }
    #expect(try decide("clone", [0x3d_0f00], on: architecture) == allow)
    for name in ["keyctl", "bpf", "io_uring_setup", "userfaultfd", "mount", "unshare", "setns", "perf_event_open"] {
      #expect(try decide(name, on: architecture) == eperm, "\(name)")
    }
    #expect(try decide("clone3", on: architecture) == enosys)
    #expect(try decide("clone", [0x1000_0011], on: architecture) == eperm)
    #expect(try decide("socket", [40], on: architecture) == eperm)
    #expect(try decide("ioctl", [0, 0x5412], on: architecture) == eperm)
    #expect(try decide("prlimit64", [1, 7, 8], on: architecture) == eperm)
    #expect(try decide(number: 0, on: .i386) & 0xffff_0000 == 0)
  }
}

#if arch(x86_64)
  @Suite struct DefaultProfileTests {
    private static func compiled(_ names: [String] = standard, release: String = "6.1.0") throws -> Decider {
      let capabilities = names.reduce(into: Capabilities()) { $0.formUnion(Capabilities(name: $1) ?? []) }
      return Decider(
        try CompiledProfile(CompiledProfile.defaultText, capabilities: capabilities, release: release).program)
    }

    private static let standard = ["CHOWN", "SETUID", "SYS_CHROOT", "KILL"]
    private static let all: [Architecture] = [.amd64, .i386, .x32]

    @Test func whatAnOperatorReadsIsWhatIsCompiled() throws {
      let root = #filePath.utf8.split(separator: UInt8(ascii: "/")).dropLast(3).map {
        String(decoding: $0, as: UTF8.self)
      }
      let file = try readFile("/" + root.joined(separator: "/") + "/packaging/seccomp-default.json")
      #expect(file == CompiledProfile.defaultText)
    }

    @Test(arguments: all) func ordinaryCallsAreLetThrough(_ architecture: Architecture) throws {
      let decide = try Self.compiled()
      for name in ["read", "write", "openat", "execve", "futex", "ioctl", "socket", "prlimit64", "fork", "getrandom"] {
        #expect(try decide(name, on: architecture) == allow, "\(name)")
      }
      // pthread_create's and fork's flags
      #expect(try decide("clone", [0x3d_0f00], on: architecture) == allow)
      #expect(try decide("clone", [0x120_0011], on: architecture) == allow)
      #expect(try decide("chroot", on: architecture) == allow)
      #expect(try decide("ptrace", on: architecture) == allow)
    }

    @Test(arguments: all) func whatIsKnownAndRefusedIsNotPermitted(_ architecture: Architecture) throws {
      let decide = try Self.compiled()
      for name in [
        "keyctl", "add_key", "request_key", "bpf", "io_uring_setup", "io_uring_enter", "io_uring_register",
        "userfaultfd",
        "perf_event_open", "mount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
        "fspick", "mount_setattr", "setns", "unshare", "open_by_handle_at", "kexec_load", "init_module",
        "finit_module", "delete_module", "reboot", "swapon", "swapoff", "acct", "quotactl", "syslog", "settimeofday",
        "sethostname", "pidfd_getfd", "kcmp", "process_madvise", "mbind", "iopl", "ioperm", "fanotify_init",
        "lookup_dcookie", "vhangup", "migrate_pages", "move_pages", "sysfs", "ustat",
      ] {
        #expect(try decide(name, on: architecture) == eperm, "\(name)")
      }
      if architecture != .x32 { #expect(try decide("kexec_load", on: architecture) == eperm) }
    }

    @Test(arguments: all) func whatNobodyKnowsIsNotThere(_ architecture: Architecture) throws {
      let decide = try Self.compiled()
      #expect(try decide("clone3", on: architecture) == enosys)
      let bit: UInt32 = architecture == .x32 ? 0x4000_0000 : 0
      for number in [UInt32(600), 700, 5000, 0x0fff_ffff] {
        #expect(try decide(number: number | bit, on: architecture) == enosys)
      }
      #expect(try decide(number: 0xffff_ffff, on: architecture) != allow)
    }

    @Test(arguments: all) func noNamespaceIsMade(_ architecture: Architecture) throws {
      let decide = try Self.compiled()
      for shift in [17, 25, 26, 27, 28, 29, 30] {
        for other in [UInt64(0), 0x11, 0x3d_0f00, 0x7e02_0000] {
          #expect(try decide("clone", [1 << UInt64(shift) | other], on: architecture) == eperm)
          #expect(try decide("clone", [1 << UInt64(shift) | other | 5 << 32], on: architecture) == eperm)
        }
      }
    }

    @Test(arguments: all, [UInt64(0), 1 << 32, 0xffff_ffff << 32]) func bitsThatTheKernelDropsChangeNothing(
      _ architecture: Architecture, _ upper: UInt64
    ) throws {
      let decide = try Self.compiled()
      for request in [UInt64(0x5412), 0x541c] + fileSystemRequests {
        for descriptor in [UInt64(0), 2, upper] {
          #expect(try decide("ioctl", [descriptor, upper | request], on: architecture) == eperm)
        }
      }
      for family in [UInt64(38), 40] {
        #expect(try decide("socket", [upper | family, 1, 0], on: architecture) == eperm)
      }
      for family in [UInt64(1), 2, 10, 16, 17, 37, 39, 41] {
        #expect(try decide("socket", [upper | family], on: architecture) == allow)
      }
      for request in [UInt64(0x5401), 0x5411, 0x5413, 0x541b, 0x8954_5412] {
        #expect(try decide("ioctl", [1, upper | request], on: architecture) == allow)
      }
    }

    @Test(arguments: all, [UInt64(0), 1 << 32, 0xffff_ffff << 32]) func noLeaseIsTaken(
      _ architecture: Architecture, _ upper: UInt64
    ) throws {
      let decide = try Self.compiled()
      for name in architecture == .i386 ? ["fcntl", "fcntl64"] : ["fcntl"] {
        for command in [UInt64(1024), 1040] {
          #expect(try decide(name, [3, upper | command, 1], on: architecture) == eperm)
        }
        // F_DUPFD to F_SETLKW, F_GETLEASE, F_DUPFD_CLOEXEC, F_ADD_SEALS, F_OFD_SETLK
        for command in Array(UInt64(0)...7) + [1025, 1030, 1033, 37] {
          #expect(try decide(name, [3, upper | command], on: architecture) == allow)
        }
      }
    }

    @Test(arguments: all) func limitsOfOthersAreReadOnly(_ architecture: Architecture) throws {
      let decide = try Self.compiled()
      #expect(try decide("prlimit64", [0, 7, 0x1000, 0], on: architecture) == allow)
      #expect(try decide("prlimit64", [1, 7, 0, 0x1000], on: architecture) == allow)
      for pid in [UInt64(1), 77, 0xffff_ffff, 0x7fff_ffff, 0x80_0000_0001] {
        for limits in [UInt64(1), 0x7ff0_1000, 0xffff_f000] {
          #expect(try decide("prlimit64", [pid, 7, limits, 0], on: architecture) == eperm)
        }
      }
      if architecture != .i386 {
        #expect(try decide("prlimit64", [1, 7, 0x7fff_0000_0000, 0], on: architecture) == eperm)
      }
    }

    @Test func i386HasNoDoorToSockets() throws {
      let decide = try Self.compiled()
      for number in UInt64(0)...21 { #expect(try decide("socketcall", [number, 0x1000], on: .i386) == eperm) }
      for number in UInt64(1)...24 { #expect(try decide("ipc", [number], on: .i386) == allow) }
    }

    @Test(arguments: all) func personalitiesAreTheHarmlessOnes(_ architecture: Architecture) throws {
      let decide = try Self.compiled()
      for value in [UInt64(0), 8, 0x20000, 0x20008, 0xffff_ffff] {
        #expect(try decide("personality", [value], on: architecture) == allow)
      }
      for value in [UInt64(0x40000), 0x400000, 0x40008, 1] {
        #expect(try decide("personality", [value], on: architecture) != allow)
      }
    }

    @Test(arguments: all) func capabilitiesOpenWhatTheyAreFor(_ architecture: Architecture) throws {
      let admin = try Self.compiled(["SYS_ADMIN"])
      for name in ["mount", "unshare", "setns", "bpf", "perf_event_open", "clone3", "syslog", "fsopen"] {
        #expect(try admin(name, on: architecture) == allow, "\(name)")
      }
      #expect(try admin("clone", [0x1000_0011], on: architecture) == allow)
      for name in ["keyctl", "io_uring_setup", "userfaultfd", "chroot", "reboot", "pivot_root"] {
        #expect(try admin(name, on: architecture) == eperm, "\(name)")
      }
      #expect(try admin("socket", [40], on: architecture) == eperm)
      #expect(try Self.compiled(["BPF"])("bpf", on: architecture) == allow)
      #expect(try Self.compiled(["PERFMON"])("perf_event_open", on: architecture) == allow)
      #expect(try Self.compiled(["SYSLOG"])("syslog", on: architecture) == allow)
      #expect(try Self.compiled(["SYS_PTRACE"])("pidfd_getfd", on: architecture) == allow)
    }

    @Test func beforeLinux4_8NobodyTraces() throws {
      #expect(try Self.compiled(release: "4.7.9")("ptrace") == eperm)
      #expect(try Self.compiled(["SYS_PTRACE"], release: "4.7.9")("ptrace") == allow)
    }

    @Test func otherArchitecturesAreEnded() throws {
      let decide = try Self.compiled()
      #expect(try decide(number: 0, on: .arm64) & 0xffff_0000 == 0)
    }

    @Test func itIsOfModestSize() throws {
      let program = try Self.compiled().machine.program
      #expect(program.count / 8 < 1500, "\(program.count / 8) instructions")
    }
  }

  @Suite struct CompiledRuleTests {
    /// What rules decide about a call, without libseccomp: of those that match the strictest.
    private static func expected(
      _ rules: [SeccompProfile.Rule], _ call: String, _ arguments: [UInt64], default action: UInt32
    ) -> UInt32 {
      let matching = rules.filter { rule in
        rule.call == call
          && rule.conditions.allSatisfy { condition in
            let argument = arguments[Int(condition.index)]
            let value = condition.value
            return switch condition.comparison {
            case .notEqual: argument != value
            case .less: argument < value
            case .lessOrEqual: argument <= value
            case .equal: argument == value
            case .greaterOrEqual: argument >= value
            case .greater: argument > value
            case .maskedEqual: argument & value == condition.valueTwo
            }
          }
      }
      return matching.map(\.action).min()?.rawValue ?? action
    }

    /// Random profiles over few calls and small numbers, decided by the compiled filters and by hand.
    @Test(arguments: 0..<60) func theStrictestRuleCounts(_ seed: Int) throws {
      var random = Dice(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 &+ 1)
      // None of these has an argument of 32 bits in the table.
      let calls = ["write", "mremap", "getdents64", "splice"]
      let actions: [SeccompProfile.Action] = [.allow, .errno(1), .errno(38), .trap, .killProcess, .log]
      var rules: [SeccompProfile.Rule] = []
      for _ in 0..<(1 + random.below(8)) {
        var conditions: [SeccompProfile.Condition] = []
        for index in 0..<UInt32(random.below(3)) {
          let comparison = SeccompProfile.Comparison.allCases[random.below(7)]
          let value = UInt64(random.below(4)) | (random.below(4) == 0 ? 1 << 33 : 0)
          conditions.append(.init(index, comparison, value, comparison == .maskedEqual ? value & (1 << 33 | 2) : 0))
        }
        rules.append(.init(calls[random.below(4)], actions[random.below(actions.count)], conditions))
      }
      var profile = SeccompProfile(defaultAction: random.below(2) == 0 ? .errno(5) : .allow)
      profile.architectures = ["SCMP_ARCH_X86_64": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]]
      profile.entries = rules.map { .init([$0.call], $0.action, $0.conditions) }
      let decide = Decider(
        try FilterCompiler.compile(
          profile, .init(capabilities: [], architecture: .amd64, kernel: .init(6, 1))))
      for _ in 0..<300 {
        let call = calls[random.below(4)]
        let architecture = [Architecture.amd64, .i386, .x32][random.below(3)]
        let isWide = architecture != .i386
        let arguments = (0..<3).map { _ in
          UInt64(random.below(5)) | (isWide && random.below(3) == 0 ? UInt64(random.below(4)) << 32 : 0)
        }
        #expect(
          try decide(call, arguments, on: architecture)
            == Self.expected(rules, call, arguments, default: profile.defaultAction.rawValue),
          "\(call) \(arguments) on \(architecture): \(rules)")
      }
    }

    @Test func aPermissionForLargerFamiliesIsNoneForTheUpperBits() throws {
      let decide = try Decider(
        #"""
        {"name": "socket", "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_LT"}]},
        {"name": "socket", "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_GT"}]}
        """#)
      for architecture in [Architecture.amd64, .x32] {
        #expect(try decide("socket", [2], on: architecture) == allow)
        #expect(try decide("socket", [41], on: architecture) == allow)
        #expect(try decide("socket", [40], on: architecture) == enosys)
        for upper in [UInt64(1), 5, 0xffff_ffff] {
          #expect(try decide("socket", [upper << 32 | 40], on: architecture) == enosys)
          #expect(try decide("socket", [upper << 32 | 2], on: architecture) == allow)
        }
      }
    }

    @Test func permittingACallOpensNoOtherDoorToIt() throws {
      let decide = try Decider(#"{"names": ["socket", "semget", "connect"], "action": "SCMP_ACT_ALLOW"}"#)
      #expect(try decide("socket", on: .i386) == allow)
      for number in UInt64(0)...24 {
        #expect(try decide("socketcall", [number], on: .i386) == enosys)
        #expect(try decide("ipc", [number], on: .i386) == enosys)
      }
      let opened = try Decider(#"{"names": ["socketcall", "socket"], "action": "SCMP_ACT_ALLOW"}"#)
      #expect(try opened("socketcall", [1], on: .i386) == allow)
      let refused = try Decider(
        #"{"names": ["socketcall"], "action": "SCMP_ACT_ERRNO"}"#, default: #""SCMP_ACT_ALLOW""#)
      #expect(try refused("socketcall", [1], on: .i386) == eperm)
      #expect(try refused("ipc", [1], on: .i386) == allow)
    }

    @Test func callsThatAreNotKnownHereArePassedOver() throws {
      let decide = try Decider(#"{"names": ["no_such_call_at_all", "read"], "action": "SCMP_ACT_ALLOW"}"#)
      #expect(try decide("read") == allow)
      #expect(try decide("write") == enosys)
    }
  }

  /// Numbers that are the same in every run.
  private struct Dice {
    var state: UInt64
    mutating func below(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
  }
#endif
