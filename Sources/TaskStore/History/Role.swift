import LaunchModel
import LinuxKernel

/// The role user of a task, as the host knows it.
package enum Role {
  /// The user who invokes the executor, for a task that names no role: who called sudo, else who we are.
  package static func invoking() throws(ExecutorFailure) -> String {
    if CurrentProcess.effectiveUser == 0, let name = HostEnvironment.variable("SUDO_USER"),
      Identity.isValidName(name)
    {
      return name
    }
    let number = HostEnvironment.realUser
    do throws(Errno) {
      if let user = try HostAccounts.user(String(number)) { return user.name }
    } catch {
      throw ExecutorFailure(.configuration, "cannot look up user \(number): \(error)")
    }
    throw ExecutorFailure(.configuration, "user \(number) has no name on this host", hint: "give one with --role")
  }

  /// The identity of a role; a task-level failure when the host has no such user.
  package static func identity(_ name: String) throws(ExecutorFailure) -> Identity {
    guard Identity.isValidName(name) else {
      throw ExecutorFailure(
        .failed, "the role \"\(printable(name.utf8))\" cannot be a user name",
        hint: "a role is at most 32 of A-Z a-z 0-9 _ . -, does not start with - and is not a number")
    }
    do throws(Errno) {
      if let user = try HostAccounts.user(name) {
        return Identity(
          name: user.name, uid: user.uid, gid: user.gid, groupName: try HostAccounts.groupName(user.gid) ?? user.name,
          supplementaryGroups: try HostAccounts.supplementaryGroups(of: user))
      }
    } catch {
      throw ExecutorFailure(.configuration, "cannot look up the role user \(name): \(error)")
    }
    throw ExecutorFailure(
      .failed, "the role user \(name) does not exist on this host", hint: "`getent passwd \(name)` must find it")
  }
}
