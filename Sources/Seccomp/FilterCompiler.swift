import CSeccomp
import Glibc
import LinuxKernel

/// Rules in, programs of the kernel's filter machine (`struct sock_filter`, 8 bytes an instruction) out, by libseccomp.
enum FilterCompiler {
  /// What the kernel takes at most (`BPF_MAXINSNS`).
  static let mostInstructions = 4096

  /// Libseccomp's version: another one may know other calls.
  static var libraryVersion: String {
    guard let version = seccomp_version()?.pointee else { return "?" }
    return "\(version.major).\(version.minor).\(version.micro)"
  }

  static func compile(_ profile: SeccompProfile, _ situation: SeccompProfile.Situation) throws(Errno) -> [[UInt8]] {
    let rules = IntegerArguments.narrowed(profile.rules(in: situation))
    let architectures = profile.architectures(in: situation)
    var programs: [[UInt8]] = []
    for layer in FilterLayers.split(rules, defaultAction: profile.defaultAction) {
      programs.append(try compile(layer, architectures))
    }
    return programs
  }

  private static func compile(_ layer: FilterLayer, _ architectures: [Architecture]) throws(Errno) -> [UInt8] {
    guard let context = seccomp_init(layer.defaultAction.rawValue) else { throw Errno("seccomp_init", code: EINVAL) }
    defer { seccomp_release(context) }
    for architecture in architectures where architecture != .own {
      try checked("seccomp_arch_add", seccomp_arch_add(context, architecture.token), besides: -EEXIST)
    }
    // The numbers in a tree: the kernel runs a filter once for each number when it is installed, and what it finds to be let
    // through without a look at arguments it does not ask again.
    try checked("seccomp_attr_set", seccomp_attr_set(context, Int32(SCMP_FLTATR_CTL_OPTIMIZE), 2))
    for rule in layer.rules {
      // A call that this libseccomp does not know has no number here; the default action is what it gets.
      let number = seccomp_syscall_resolve_name(rule.call)
      guard number != SCMP_NR_ERROR else { continue }
      let conditions = rule.conditions.map {
        scmp_arg_cmp(arg: $0.index, op: $0.comparison.libraryValue, datum_a: $0.value, datum_b: $0.valueTwo)
      }
      try checked(
        "seccomp_rule_add",
        seccomp_rule_add_array(context, rule.action.rawValue, number, UInt32(conditions.count), conditions),
        besides: -EEXIST)
    }
    return try export(context)
  }

  private static func export(_ context: scmp_filter_ctx) throws(Errno) -> [UInt8] {
    let file = try memoryFile("filter")
    try checked("seccomp_export_bpf", seccomp_export_bpf(context, file.rawValue))
    let program = try file.read(upTo: mostInstructions * 8 + 1, at: 0)
    guard !program.isEmpty, program.count % 8 == 0, program.count <= mostInstructions * 8 else {
      throw Errno("seccomp_export_bpf", code: E2BIG)
    }
    return program
  }

  /// Libseccomp's functions answer with an error's negative number.
  private static func checked(_ call: StaticString, _ result: Int32, besides accepted: Int32 = 0) throws(Errno) {
    if result < 0, result != accepted { throw Errno(call, code: -result) }
  }
}

extension SeccompProfile.Comparison {
  fileprivate var libraryValue: scmp_compare {
    switch self {
    case .notEqual: SCMP_CMP_NE
    case .less: SCMP_CMP_LT
    case .lessOrEqual: SCMP_CMP_LE
    case .equal: SCMP_CMP_EQ
    case .greaterOrEqual: SCMP_CMP_GE
    case .greater: SCMP_CMP_GT
    case .maskedEqual: SCMP_CMP_MASKED_EQ
    }
  }
}
