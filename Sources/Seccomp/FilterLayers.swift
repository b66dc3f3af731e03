/// A filter as libseccomp takes it: rules among which none hides another.
struct FilterLayer: Equatable {
  var defaultAction: SeccompProfile.Action
  var rules: [SeccompProfile.Rule]
}

/// Rules parted so that libseccomp keeps them all.
///
/// Within one filter it drops whatever is conditional on a call that has an unconditional rule. The kernel, however, asks
/// every filter and takes the strictest answer: what is stricter than a call's first answer goes into a filter of its own
/// that lets everything else through.
enum FilterLayers {
  /// i386's doors to other calls, by a number. Libseccomp opens them for what is let through by its own name; here
  /// they are as a profile says of themselves, and closed when it does not name them.
  static let multiplexers = ["socketcall", "ipc"]

  /// The filters, in the order to install them: of two errors the kernel takes the one of the later filter.
  static func split(_ rules: [SeccompProfile.Rule], defaultAction: SeccompProfile.Action) -> [FilterLayer] {
    var calls: [String] = []
    var byCall: [String: [SeccompProfile.Rule]] = [:]
    for rule in rules {
      if byCall[rule.call] == nil { calls.append(rule.call) }
      byCall[rule.call, default: []].append(rule)
    }
    for call in multiplexers where byCall[call] == nil && !defaultAction.permits {
      calls.append(call)
      byCall[call] = [SeccompProfile.Rule(call, defaultAction)]
    }
    var base: [SeccompProfile.Rule] = []
    var stricter: [SeccompProfile.Action: [SeccompProfile.Rule]] = [:]
    for call in calls {
      let rules = byCall[call] ?? []
      let always = rules.filter { $0.conditions.isEmpty }.map(\.action).min()
      var first = always ?? rules.map(\.action).max() ?? defaultAction
      if let always {
        base.append(SeccompProfile.Rule(call, always))
      } else {
        base += rules.filter { $0.action == first }
      }
      // A rule of ours for such a call does not undo what libseccomp makes of others.
      if multiplexers.contains(call), !first.permits { first = .allow }
      for rule in rules where rule.action < first { stricter[rule.action, default: []].append(rule) }
    }
    let layers = stricter.sorted { $0.key > $1.key }.map { FilterLayer(defaultAction: .allow, rules: $0.value) }
    return [FilterLayer(defaultAction: defaultAction, rules: base.filter { $0.action != defaultAction })] + layers
  }
}
