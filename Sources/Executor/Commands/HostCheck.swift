import StrictJSON

/// One thing that a host may have, what it is good for, and what to do where it is missing.
struct HostCheck: Equatable {
  enum State: String {
    case ok
    /// Some of it is missing, or it is used in another way.
    case limited
    case missing
  }

  let name: String
  let state: State
  /// What was found.
  let found: String
  /// What it enables, or what does not go without it.
  let enables: String
  var remedy: String?
  /// Whether native tasks are refused without it.
  var isRequired = false

  var json: JSON {
    JSON(object: [
      ("name", JSON(name)), ("state", JSON(state.rawValue)), ("found", JSON(found)), ("enables", JSON(enables)),
      ("remedy", remedy.map { JSON($0) }), ("required", JSON(isRequired)),
    ])
  }
}
