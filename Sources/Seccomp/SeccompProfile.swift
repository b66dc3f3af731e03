import LinuxKernel

/// Which system calls are filtered, and what becomes of them: Docker's JSON format, decoded.
///
/// Of all rules that match a call the strictest counts, and where none does the default action.
package struct SeccompProfile: Sendable, Equatable {
  /// What becomes of a call, as the kernel writes it (`SECCOMP_RET_*`), ordered by strictness: the kernel compares these
  /// as signed numbers, and of two errors the lower one goes first.
  package struct Action: Sendable, Hashable, Comparable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let killProcess = Action(rawValue: 0x8000_0000)
    package static let killThread = Action(rawValue: 0)
    package static let trap = Action(rawValue: 0x0003_0000)
    package static func errno(_ code: UInt16) -> Action { Action(rawValue: 0x0005_0000 | UInt32(code)) }
    package static func trace(_ message: UInt16) -> Action { Action(rawValue: 0x7ff0_0000 | UInt32(message)) }
    package static let log = Action(rawValue: 0x7ffc_0000)
    package static let allow = Action(rawValue: 0x7fff_0000)

    /// Stricter ones are less.
    package static func < (left: Action, right: Action) -> Bool {
      Int32(bitPattern: left.rawValue) < Int32(bitPattern: right.rawValue)
    }
  }

  package enum Comparison: String, Sendable, CaseIterable {
    case notEqual = "SCMP_CMP_NE"
    case less = "SCMP_CMP_LT"
    case lessOrEqual = "SCMP_CMP_LE"
    case equal = "SCMP_CMP_EQ"
    case greaterOrEqual = "SCMP_CMP_GE"
    case greater = "SCMP_CMP_GT"
    /// `argument & value == valueTwo`.
    case maskedEqual = "SCMP_CMP_MASKED_EQ"
  }

  /// What an argument must be for a rule to match.
  package struct Condition: Sendable, Hashable {
    package var index: UInt32
    package var comparison: Comparison
    package var value: UInt64
    package var valueTwo: UInt64

    package init(_ index: UInt32, _ comparison: Comparison, _ value: UInt64, _ valueTwo: UInt64 = 0) {
      self.index = index
      self.comparison = comparison
      self.value = value
      self.valueTwo = valueTwo
    }
  }

  package struct KernelVersion: Sendable, Hashable, Comparable {
    package let major: Int
    package let minor: Int
    package init(_ major: Int, _ minor: Int) {
      self.major = major
      self.minor = minor
    }
    package static func < (left: KernelVersion, right: KernelVersion) -> Bool {
      (left.major, left.minor) < (right.major, right.minor)
    }
  }

  /// When an entry counts, or does not.
  package struct Circumstance: Sendable, Equatable {
    package var capabilities: [Capabilities] = []
    /// As Go names them: `amd64`.
    package var architectures: [String] = []
    package var leastKernel: KernelVersion?
    package init() {}
  }

  /// One entry of `syscalls`.
  package struct Entry: Sendable, Equatable {
    package var names: [String]
    package var action: Action
    package var conditions: [Condition] = []
    /// Counts only with all of these capabilities, on one of these architectures, from this kernel on.
    package var includes = Circumstance()
    /// Counts not with any of these capabilities, on any of these architectures, from this kernel on.
    package var excludes = Circumstance()

    package init(_ names: [String], _ action: Action, _ conditions: [Condition] = []) {
      self.names = names
      self.action = action
      self.conditions = conditions
    }
  }

  package var defaultAction: Action
  /// An architecture and those that its processes can change to, by libseccomp's names.
  package var architectures: [String: [String]] = [:]
  package var entries: [Entry] = []

  package init(defaultAction: Action) { self.defaultAction = defaultAction }
}

extension SeccompProfile {
  /// Where and for whom a profile is to hold.
  package struct Situation: Sendable, Hashable {
    /// The most that a process may ever have.
    package var capabilities: Capabilities
    package var architecture: Architecture
    package var kernel: KernelVersion

    package init(capabilities: Capabilities, architecture: Architecture, kernel: KernelVersion) {
      self.capabilities = capabilities
      self.architecture = architecture
      self.kernel = kernel
    }
  }

  /// A rule for one call, in a certain situation.
  package struct Rule: Sendable, Hashable {
    package var call: String
    package var action: Action
    package var conditions: [Condition]

    package init(_ call: String, _ action: Action, _ conditions: [Condition] = []) {
      self.call = call
      self.action = action
      self.conditions = conditions
    }
  }

  /// The rules that count in a situation, in the profile's order.
  package func rules(in situation: Situation) -> [Rule] {
    entries.filter { $0.counts(in: situation) }.flatMap { entry in
      entry.names.map { Rule($0, entry.action, entry.conditions) }
    }
  }

  /// The architectures a filter has to know: another one's calls end the thread.
  package func architectures(in situation: Situation) -> [Architecture] {
    let own = situation.architecture
    let named = (architectures[own.name] ?? []).compactMap { Architecture(name: $0) }
    return [own] + own.others.filter { named.contains($0) }
  }
}

extension SeccompProfile.Entry {
  fileprivate func counts(in situation: SeccompProfile.Situation) -> Bool {
    let architecture = situation.architecture.goName
    if !includes.capabilities.allSatisfy({ situation.capabilities.isSuperset(of: $0) }) { return false }
    if !includes.architectures.isEmpty, !includes.architectures.contains(architecture) { return false }
    if let least = includes.leastKernel, situation.kernel < least { return false }
    if excludes.capabilities.contains(where: { situation.capabilities.isSuperset(of: $0) }) { return false }
    if excludes.architectures.contains(architecture) { return false }
    if let least = excludes.leastKernel, situation.kernel >= least { return false }
    return true
  }
}
