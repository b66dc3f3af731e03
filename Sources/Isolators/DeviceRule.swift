/// Devices that may be used, and how.
struct DeviceRule: Sendable, Equatable {
  enum Kind: UInt32, Sendable {
    case block = 1
    case character = 2
  }

  /// What of a device may be done, by the numbers that the kernel has for it (`BPF_DEVCG_ACC_*`).
  struct Access: OptionSet, Sendable, Equatable {
    let rawValue: UInt32
    static let make = Access(rawValue: 1)
    static let read = Access(rawValue: 2)
    static let write = Access(rawValue: 4)
    static let all: Access = [.make, .read, .write]
  }

  let kind: Kind
  /// `nil` for all of them.
  let major: UInt32?
  let minor: UInt32?
  let access: Access

  init(_ kind: Kind, major: UInt32? = nil, minor: UInt32? = nil, access: Access = .all) {
    (self.kind, self.major, self.minor, self.access) = (kind, major, minor, access)
  }

  /// As `devices.allow` takes it (cgroup-v1/devices.rst).
  var version1: String {
    func number(_ number: UInt32?) -> String { number.map { String($0) } ?? "*" }
    let letters =
      (access.contains(.read) ? "r" : "") + (access.contains(.write) ? "w" : "")
      + (access.contains(.make) ? "m" : "")
    return "\(kind == .block ? "b" : "c") \(number(major)):\(number(minor)) \(letters)"
  }

  /// A program for a version 2 cgroup that lets through what one of the rules allows, and nothing else: instructions of the kernel's
  /// virtual machine (bpf(2), Documentation/bpf/standardization/instruction-set.rst), 8 bytes each.
  ///
  /// It is given a `struct bpf_cgroup_dev_ctx`: the access in the upper half of the first word and the kind in the lower, then
  /// the device's numbers. 1 lets it through, 0 is `EPERM`.
  static func program(_ rules: [DeviceRule]) -> [UInt8] {
    var code = Assembler()
    code.load(.kind, offset: 0)
    code.copy(.kind, to: .access)
    code.and(.kind, 0xffff)
    code.shiftRight(.access, 16)
    code.load(.major, offset: 4)
    code.load(.minor, offset: 8)
    for rule in rules {
      var tests: [(register: Register, value: UInt32)] = [(.kind, rule.kind.rawValue)]
      if let major = rule.major { tests.append((.major, major)) }
      if let minor = rule.minor { tests.append((.minor, minor)) }
      let restricts = rule.access != .all
      // Behind the tests: those of the access, the answer and the end.
      var left = tests.count + (restricts ? 3 : 0) + 2
      for test in tests {
        left -= 1
        code.jump(unless: test.register, is: test.value, by: left)
      }
      if restricts {
        code.copy(.access, to: .scratch)
        code.and(.scratch, ~rule.access.rawValue & 0xffff)
        code.jump(unless: .scratch, is: 0, by: 2)
      }
      code.answer(1)
    }
    code.answer(0)
    return code.bytes
  }

  /// The context is in register 1, the answer in register 0.
  private enum Register: UInt8 {
    case answer = 0
    case context = 1
    case kind = 2
    case access = 3
    case major = 4
    case minor = 5
    case scratch = 6
  }

  private struct Assembler {
    private(set) var bytes: [UInt8] = []

    private mutating func put(
      _ code: UInt8, _ target: Register, _ source: Register = .answer, offset: Int = 0, _ value: UInt32 = 0
    ) {
      bytes += [code, target.rawValue | source.rawValue << 4, UInt8(truncatingIfNeeded: offset), UInt8(offset >> 8)]
      for shift: UInt32 in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    /// BPF_LDX | BPF_MEM | BPF_W
    mutating func load(_ target: Register, offset: Int) { put(0x61, target, .context, offset: offset) }
    /// BPF_ALU | BPF_MOV | BPF_X
    mutating func copy(_ source: Register, to target: Register) { put(0xbc, target, source) }
    /// BPF_ALU | BPF_AND | BPF_K
    mutating func and(_ target: Register, _ value: UInt32) { put(0x54, target, value) }
    /// BPF_ALU | BPF_RSH | BPF_K
    mutating func shiftRight(_ target: Register, _ value: UInt32) { put(0x74, target, value) }
    /// BPF_JMP | BPF_JNE | BPF_K. The 64-bit comparison: every register holds 32 bits that were extended by zeros.
    mutating func jump(unless register: Register, is value: UInt32, by count: Int) {
      put(0x55, register, offset: count, value)
    }
    /// BPF_ALU | BPF_MOV | BPF_K; BPF_JMP | BPF_EXIT
    mutating func answer(_ value: UInt32) {
      put(0xb4, .answer, value)
      put(0x95, .answer)
    }

    private mutating func put(_ code: UInt8, _ target: Register, _ value: UInt32) {
      put(code, target, .answer, offset: 0, value)
    }
  }
}
