import LinuxKernel
import OperatorPolicy
import StrictJSON
import TaskModel
import TaskStore

/// What a policy says to everything that one task asks for.
struct PolicyVerdict {
  let policy: Policy?
  /// In the order of the demands, each with its place in the document.
  let rulings: [(ruling: Ruling, place: DocumentPlace)]

  var denied: [(ruling: Ruling, place: DocumentPlace)] { rulings.filter { !$0.ruling.isGiven } }
  var isGiven: Bool { denied.isEmpty }

  /// `/etc/aurora-executor/policy.json:3:5`
  func source(_ rule: Policy.Rule?) -> String {
    guard let policy else { return "" }
    let file = printable(policy.file.utf8)
    return rule.map { "\(file):\($0.position.line):\($0.position.column)" } ?? file
  }

  /// The lines about what is denied, each with its place in the document called `name`.
  func complaints(_ name: String) -> [String] {
    denied.map { ruling, place in
      let position = place.position == .none ? "" : "\(place.position.line):\(place.position.column): "
      let path = place.path.isEmpty ? "" : place.path.escapedForMessage(limit: 400) + ": "
      return "\(name):\(position)\(path)\(ruling.demand.kind.text) is not allowed: \(ruling.reason) "
        + "(\(source(ruling.rule)))"
    }
  }

  var failure: ExecutorFailure {
    let count = denied.count
    let first = denied.first.map { ruling, _ in
      ": \(ruling.demand.kind.text): \(ruling.reason) (\(source(ruling.rule)))"
    }
    return ExecutorFailure(
      .needsPrivileges,
      "this host's policy does not allow the task\(first ?? "")" + (count > 1 ? ", and \(count - 1) more" : ""),
      hint: "`aurora-executor policy explain` shows what a document asks for, and which rule gives or denies it")
  }

  /// For people: a line a demand.
  var table: String {
    Console.table(
      [["", "ASKED FOR", "WHERE", "WHY"]]
        + rulings.map { ruling, place in
          let position = place.position == .none ? "" : "\(place.position.line):\(place.position.column) "
          let seat = position + place.path.escapedForMessage(limit: 200)
          return [
            ruling.isGiven ? "given" : "denied", ruling.demand.kind.text, seat.isEmpty ? "-" : seat,
            ruling.reason + (ruling.rule == nil ? "" : " (\(source(ruling.rule)))"),
          ]
        })
  }

  var json: JSON {
    JSON(object: [
      (
        "policy",
        policy.map { JSON(object: [("file", JSON($0.file)), ("digest", JSON($0.digest))]) }
      ), ("allowed", JSON(isGiven)),
      (
        "demands",
        JSON(
          rulings.map { ruling, place in
            let kind = ruling.demand.kind
            var writable: Bool?
            if case .hostPath(_, let isWritable, _) = kind { writable = isWritable }
            return JSON(object: [
              ("demand", JSON(kind.name)), ("value", JSON(kind.value)),
              ("mode", writable.map { $0 ? "RW" : "RO" }), ("resolved", ruling.resolved.map { JSON($0) }),
              ("path", place.path.isEmpty ? nil : JSON(place.path)),
              ("line", place.position == .none ? nil : JSON(place.position.line)),
              ("column", place.position == .none ? nil : JSON(place.position.column)),
              ("given", JSON(ruling.isGiven)), ("reason", JSON(ruling.reason)),
              (
                "rule",
                ruling.rule.map {
                  JSON(object: [
                    ("name", JSON($0.name)), ("line", JSON($0.position.line)), ("column", JSON($0.position.column)),
                  ])
                }
              ),
            ])
          })
      ),
    ])
  }
}
