import LinuxKernel

/// What the command line says itself: the operator's words, which count as leave.
package struct OperatorWords: Equatable {
  package var role = false
  package var dockerParameters = false
  package var maxRuns = false

  package init(role: Bool = false, dockerParameters: Bool = false, maxRuns: Bool = false) {
    self.role = role
    self.dockerParameters = dockerParameters
    self.maxRuns = maxRuns
  }
}

/// Whether a demand is given, and by what.
package struct Ruling: Equatable {
  package let demand: Demand
  package let isGiven: Bool
  /// The entry that gives or denies it; `nil`: there is none, and that decides.
  package var rule: Policy.Rule?
  /// The end of a sentence about it.
  package let reason: String
  /// A path as the kernel resolved it: what is mounted.
  package var resolved: String?

  init(demand: Demand, isGiven: Bool, rule: Policy.Rule? = nil, reason: String, resolved: String? = nil) {
    (self.demand, self.isGiven, self.rule, self.reason, self.resolved) = (demand, isGiven, rule, reason, resolved)
  }
}

/// Judges demands by a policy. Paths are resolved by `resolve`; everything else is a function of values.
package struct PolicyJudge {
  /// `nil`: whoever invokes the executor is the operator.
  package let policy: Policy?
  package let words: OperatorWords
  /// The names that `--allow-docker-parameters` gives; `nil` for all.
  package let allowedDockerParameters: [String]?
  package let resolve: (String) -> ResolvedPath
  /// Something that is mounted below a path of the host; `nil`: nothing.
  package let mountBelow: ([UInt8]) -> String?
  /// The number of an account of the host; `nil` where it has none of that name.
  package let uid: (String) throws(Errno) -> UInt32?
  /// The names of a group of the host, by its number.
  package let groupNames: (UInt32) throws(Errno) -> [String]

  package init(
    policy: Policy?, words: OperatorWords, allowedDockerParameters: [String]?,
    resolve: @escaping (String) -> ResolvedPath, mountBelow: @escaping ([UInt8]) -> String?,
    uid: @escaping (String) throws(Errno) -> UInt32?,
    groupNames: @escaping (UInt32) throws(Errno) -> [String]
  ) {
    self.policy = policy
    self.words = words
    self.allowedDockerParameters = allowedDockerParameters
    self.resolve = resolve
    self.mountBelow = mountBelow
    self.uid = uid
    self.groupNames = groupNames
  }

  package func ruling(_ demand: Demand) -> Ruling {
    guard let policy else {
      return Ruling(demand: demand, isGiven: true, reason: "there is no policy")
    }
    switch demand.kind {
    case .role(let name, let uid, let groups): return role(demand, name, uid, groups, policy)
    case .hostPath(let path, let writable, let leavesMounts):
      return hostPath(demand, path, writable, leavesMounts: leavesMounts, policy)
    case .capability(let name):
      return word(demand, policy.capabilities.first { $0.has(name) || $0.has("ALL") })
    case .namespace(let namespace): return word(demand, policy.namespaces.first { $0.has(namespace.rawValue) })
    case .dockerParameter(let name): return dockerParameter(demand, name, policy)
    case .impossible(_, let reason): return denied(demand, nil, "no task can have it: \(reason)")
    case .privilege(let privilege):
      if let all = policy.allPrivileges { return given(demand, all) }
      return word(demand, policy.privileges.first { $0.has(privilege.rawValue) })
    case .device(let name): return path(demand, name, policy.devices)
    case .seccomp(let profile): return path(demand, profile, policy.seccomp)
    case .network(let name): return word(demand, policy.networks.first { !name.isEmpty && $0.has(name) })
    case .amount(let ceiling, let amount): return self.amount(demand, ceiling, amount, policy)
    }
  }

  private func given(_ demand: Demand, _ rule: Policy.Rule?, _ reason: String? = nil, resolved: String? = nil)
    -> Ruling
  {
    Ruling(
      demand: demand, isGiven: true, rule: rule, reason: reason ?? "allowed by \(rule?.name ?? "default")",
      resolved: resolved)
  }

  private func denied(_ demand: Demand, _ rule: Policy.Rule? = nil, _ reason: String? = nil, resolved: String? = nil)
    -> Ruling
  {
    Ruling(
      demand: demand, isGiven: false, rule: rule, reason: reason ?? "no entry of \(demand.kind.member) allows it",
      resolved: resolved)
  }

  private func word(_ demand: Demand, _ word: Policy.Word?) -> Ruling {
    word.map { given(demand, $0.rule) } ?? denied(demand)
  }

  /// Groups whose members have the host, or as good as: by a socket, a device or a file that they may use.
  private static let groupsOfHost: Set<String> = [
    "root", "admin", "disk", "docker", "incus", "incus-admin", "kmem", "libvirt", "lxd", "microk8s", "shadow", "staff",
    "sudo",
    "wheel",
  ]

  /// A group of an account that only a name gives it.
  private func groupOfHost(_ groups: [UInt32]) throws(Errno) -> String? {
    for gid in groups {
      if gid == 0 { return "root" }
      if let name = try groupNames(gid).first(where: { PolicyJudge.groupsOfHost.contains($0) }) { return name }
    }
    return nil
  }

  private func role(_ demand: Demand, _ name: String, _ uid: UInt32?, _ groups: [UInt32], _ policy: Policy) -> Ruling {
    if words.role { return given(demand, nil, "--role on the command line is the operator's word") }
    // An account with the number 0 is root, whatever it is called.
    for entry in policy.deniedRoles {
      if entry.has(name) || (uid == 0 ? entry.has("root") : entry.has("*")) {
        return denied(demand, entry.rule, "denied by \(entry.rule.name)")
      }
      // Whoever has the number of an account that is denied is that account, whatever it is called.
      guard let uid, !entry.has("*") else { continue }
      do throws(Errno) {
        if try self.uid(entry.text) == uid {
          return denied(demand, entry.rule, "it is uid \(uid), which \(entry.rule.name) denies as \(entry.text)")
        }
      } catch {
        return denied(demand, entry.rule, "\(entry.rule.name), \(entry.text), cannot be looked up: \(error)")
      }
    }
    if let named = policy.allowedRoles?.first(where: { $0.has(name) }) { return given(demand, named.rule) }
    let all = policy.allowedRoles?.first { $0.has("*") }
    guard policy.allowedRoles == nil || all != nil else {
      return denied(demand, nil, "no entry of roles.allow names it")
    }
    let rest = all.map { "\($0.rule.name) is every account" } ?? "by default every account is allowed"
    if uid == 0 {
      return denied(
        demand, all?.rule,
        all == nil ? "uid 0 must be named in roles.allow" : rest + " but uid 0, which must be named")
    }
    do throws(Errno) {
      if let group = try groupOfHost(groups) {
        return denied(
          demand, all?.rule,
          rest + " but those in groups that have the host, which must be named in roles.allow; it is in \(group)")
      }
    } catch {
      return denied(demand, all?.rule, "its groups cannot be looked up: \(error)")
    }
    return given(demand, all?.rule, all == nil ? "every account but uid 0 is allowed by default" : nil)
  }

  private func hostPath(
    _ demand: Demand, _ path: String, _ writable: Bool, leavesMounts: Bool, _ policy: Policy
  ) -> Ruling {
    let real: [UInt8]
    switch resolve(path) {
    case .unclear(let reason): return denied(demand, nil, reason)
    case .path(let found): real = found
    }
    let shown = printable(real)
    guard let text = String(validating: real, as: UTF8.self) else {
      return denied(demand, nil, "it leads to \(shown), which is not UTF-8")
    }
    if demand.goesToEngine, real.contains(UInt8(ascii: ":")) {
      return denied(demand, nil, "it leads to \(shown), which no engine takes: a colon separates there")
    }
    let leads = real == Array(path.utf8) ? "" : "it leads to \(shown), and "
    let covering = policy.hostPaths.filter { real.isBelow(Array($0.path.utf8)) }
    let left = leavesMounts ? mountBelow(real) : nil
    if let rule = covering.first(where: { $0.isWritable || (!writable && left == nil) }) {
      return given(demand, rule.rule, resolved: text)
    }
    if let rule = covering.first, let left {
      return denied(
        demand, rule.rule,
        "\(rule.rule.name) allows it RO only, and \(left) is mounted below it: the engine leaves that writable, or leaves it "
          + "out and shows what it hides",
        resolved: text)
    }
    if let rule = covering.first {
      return denied(demand, rule.rule, "\(leads)\(rule.rule.name) allows it RO only", resolved: text)
    }
    return denied(demand, nil, "\(leads)no entry of host_paths allows it", resolved: text)
  }

  /// Paths with what is below them, and names as they are.
  private func path(_ demand: Demand, _ name: String, _ words: [Policy.Word]) -> Ruling {
    guard name.utf8.first == UInt8(ascii: "/") else { return word(demand, words.first { $0.has(name) }) }
    switch resolve(name) {
    case .unclear(let reason): return denied(demand, nil, reason)
    case .path(let real):
      let rule = words.first { $0.text.utf8.first == UInt8(ascii: "/") && real.isBelow(Array($0.text.utf8)) }
      guard let text = String(validating: real, as: UTF8.self), let rule else {
        let leads = real == Array(name.utf8) ? "" : "it leads to \(printable(real)), and "
        return denied(demand, nil, "\(leads)no entry of \(demand.kind.member) allows it")
      }
      return given(demand, rule.rule, resolved: text)
    }
  }

  private func dockerParameter(_ demand: Demand, _ name: String, _ policy: Policy) -> Ruling {
    // A name that Docker does not know is refused by the parameter's own check, with near names.
    if DockerParameterReach.of(name) == nil {
      return denied(demand, nil, "what it reaches of the host is not known here")
    }
    if words.dockerParameters {
      if let names = allowedDockerParameters, !names.contains(name) {
        return denied(demand, nil, "--allow-docker-parameters on the command line does not name it")
      }
      return given(demand, nil, "--allow-docker-parameters on the command line is the operator's word")
    }
    if let all = policy.allDockerParameters { return given(demand, all) }
    return word(demand, policy.dockerParameters.first { $0.has(name) })
  }

  private func amount(_ demand: Demand, _ ceiling: Ceiling, _ amount: Int64?, _ policy: Policy) -> Ruling {
    guard let limit = policy.ceilings[ceiling] else { return given(demand, nil, "the policy has no such ceiling") }
    if ceiling == .runs, words.maxRuns {
      return given(demand, nil, "--max-runs on the command line is the operator's word")
    }
    guard let amount, amount <= limit.most else {
      return denied(demand, limit.rule, "\(limit.rule.name) is \(limit.most)")
    }
    return given(demand, limit.rule, "\(limit.rule.name) is \(limit.most)")
  }
}
