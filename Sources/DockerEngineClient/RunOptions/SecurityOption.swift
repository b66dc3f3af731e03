import HTTP1
import StrictJSON

/// `security-opt`, `sysctl` and modes of namespaces.
enum SecurityOption {
  /// `no-new-privileges`, `seccomp=default|unconfined|FILE`, `apparmor=…`, `label=…`, `systempaths=unconfined`.
  static func security(_ state: inout RunOptionState, _ text: String) throws(RunOptionProblem) {
    if text.utf8.elementsEqual("systempaths=unconfined".utf8) {
      // Docker's client does this itself; the engine does not know the option.
      state.request.hostConfig.maskedPaths = []
      state.request.hostConfig.readOnlyPaths = []
      return
    }
    var (name, value) = RunOptionValue.cut(text, "=")
    let isPrivileges = name.utf8.elementsEqual("no-new-privileges".utf8)
    if value == nil, !isPrivileges { (name, value) = RunOptionValue.cut(text, ":") }
    if !isPrivileges, value?.isEmpty ?? true { throw .value(text, "a security option: name=value") }
    var sent = text
    if name.utf8.elementsEqual("seccomp".utf8), let value,
      !value.utf8.elementsEqual("default".utf8), !value.utf8.elementsEqual("unconfined".utf8)
    {
      // The engine takes the profile itself, not its path.
      do throws(JSONError) {
        sent = "seccomp=\(try JSON(parsing: try profile(state, value)).compact)"
      } catch {
        throw RunOptionProblem("the seccomp profile is not valid JSON: \(error)")
      }
    }
    state.request.hostConfig.securityOptions.append(sent)
  }

  private static func profile(_ state: RunOptionState, _ path: String) throws(JSONError) -> [UInt8] {
    do throws(RunOptionProblem) {
      return try state.content(of: path)
    } catch {
      throw JSONError(position: .none, message: error.text)
    }
  }

  /// A capability in the engine's own spelling, `CAP_NET_ADMIN` for `net_admin`, or `ALL`.
  static func capability(_ text: String) throws(RunOptionProblem) -> String {
    let bytes = ASCII.trimmed(Array(text.utf8)[...])
    guard !bytes.isEmpty, bytes.allSatisfy({ ASCII.isAlphanumeric($0) || $0 == UInt8(ascii: "_") }) else {
      throw .value(text, "the name of a capability")
    }
    let name = String(decoding: bytes, as: UTF8.self).uppercased()
    if name.utf8.elementsEqual("ALL".utf8) || name.utf8.starts(with: "CAP_".utf8) { return name }
    return "CAP_\(name)"
  }

  /// `name=value`, of the parameters that belong to a container's namespaces.
  static func sysctl(_ state: inout RunOptionState, _ text: String) throws(RunOptionProblem) {
    let (name, value) = RunOptionValue.cut(text, "=")
    let known = [
      "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
      "kernel.shmmni", "kernel.shm_rmid_forced", "kernel.domainname",
    ]
    guard let value, !name.isEmpty else { throw .value(text, "name=value") }
    guard
      known.contains(where: { $0.utf8.elementsEqual(name.utf8) })
        || ["net.", "fs.mqueue."].contains(where: { name.utf8.starts(with: $0.utf8) })
    else {
      throw RunOptionProblem("the parameter \"\(excerpt(name.utf8, limit: 60))\" is not one of a container's own")
    }
    state.request.hostConfig.sysctls[name] = value
  }

  /// One of `modes`, or another container's where that is possible.
  static func mode(_ text: String, _ modes: [String], orContainer: Bool = false) throws(RunOptionProblem) -> String {
    let prefix = "container:"
    if modes.contains(where: { $0.utf8.elementsEqual(text.utf8) }) { return text }
    if orContainer, text.utf8.starts(with: prefix.utf8), text.utf8.count > prefix.utf8.count { return text }
    let choices = (modes.filter { !$0.isEmpty } + (orContainer ? ["container:NAME"] : [])).joined(separator: ", ")
    throw .value(text, modes.count + (orContainer ? 1 : 0) > 2 ? "one of \(choices)" : choices)
  }
}
