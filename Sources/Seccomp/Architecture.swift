/// An architecture whose system calls a filter can tell apart.
package enum Architecture: String, Sendable, CaseIterable {
  case amd64 = "SCMP_ARCH_X86_64"
  case i386 = "SCMP_ARCH_X86"
  case x32 = "SCMP_ARCH_X32"
  case arm64 = "SCMP_ARCH_AARCH64"
  case arm = "SCMP_ARCH_ARM"

  package var name: String { rawValue }
  package init?(name: String) { self.init(rawValue: name) }

  /// The one this program was compiled for.
  package static var own: Architecture {
    #if arch(x86_64)
      .amd64
    #elseif arch(arm64)
      .arm64
    #else
      #error("system call filters know x86_64 and aarch64")
    #endif
  }

  /// That of linux/audit.h, and for x32 libseccomp's own: the kernel says x86_64.
  package var token: UInt32 {
    switch self {
    case .amd64: 0xc000_003e
    case .i386: 0x4000_0003
    case .x32: 0x4000_003e
    case .arm64: 0xc000_00b7
    case .arm: 0x4000_0028
    }
  }

  /// As Go, and with it `includes` and `excludes` of a profile, name it.
  var goName: String {
    switch self {
    case .amd64: "amd64"
    case .i386: "x86"
    case .x32: "x32"
    case .arm64: "arm64"
    case .arm: "arm"
    }
  }

  /// What a process can call as well, with one instruction or one bit more.
  var others: [Architecture] {
    switch self {
    case .amd64: [.i386, .x32]
    case .arm64: [.arm]
    case .i386, .x32, .arm: []
    }
  }

  /// Every name that a profile may have; most are of machines that this program does not run on.
  static let allNames: Set<String> = [
    "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
  ]

  /// Go's names, those of Docker's profiles.
  static let allGoNames: Set<String> = [
    "386", "amd64", "x86", "x32", "arm", "arm64", "mips", "mips64", "mips64n32", "mipsel", "mipsel64", "mipsel64n32",
    "mipsle", "mips64le", "mips64p32", "mips64p32le", "ppc", "ppc64", "ppc64le", "riscv64", "s390", "s390x", "loong64",
    "parisc", "parisc64",
  ]
}
