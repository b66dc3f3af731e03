import Glibc
import LinuxKernel

/// A directory in which nobody else has a say: neither in what is there under a name, nor in what its own name means.
///
/// What lies in a run directory is believed: sockets of container-init, the program that containers run. Below `/tmp` it
/// may be made by anybody, once a cleaner of temporary files has removed ours.
enum TrustedDirectory {
  /// Judges a path as far as it exists: every directory on the way may be written to by its owner alone, or is sticky; the
  /// last one by its owner alone. The owner is this user or root; on the way also who has called sudo(8), and in a user
  /// namespace whoever is nobody there: root of the host among them.
  static func check(_ path: String) throws(CommandFailure) {
    let names = Array(path.utf8).split(separator: UInt8(ascii: "/"))
    var place = ""
    guard try judge("/", isLast: names.isEmpty) else { return }
    for (index, name) in names.enumerated() {
      place += "/" + String(decoding: name, as: UTF8.self)
      guard try judge(place, isLast: index == names.count - 1) else { return }
    }
  }

  /// - Returns: false where there is nothing.
  private static func judge(_ place: String, isLast: Bool) throws(CommandFailure) -> Bool {
    let about: FileStatus
    do throws(Errno) { about = try status(of: place) } catch {
      guard error.code != ENOENT else { return false }
      throw CommandFailure(.cannotCreate, "cannot look at \(printable(place.utf8)): \(error)")
    }
    let own = CurrentProcess.effectiveUser
    let isOwn =
      about.uid == own || about.uid == 0 || (!isLast && (own == 0 && about.uid == invoker || isNobodyHere(about.uid)))
    let why: String
    if !about.isDirectory {
      why = "is no directory"
    } else if !isOwn {
      why = "is of uid \(about.uid)"
    } else if isOpen(about), isLast || about.permissions & 0o1000 == 0 {
      why = "can be written to by others (mode \(String(about.permissions, radix: 8)))"
    } else {
      return true
    }
    throw CommandFailure(
      .needsPrivileges,
      "\(printable(place.utf8)) \(why): others would have a say in what the run directory holds",
      hint: "choose a place with --run-dir that is root's alone, such as \(Defaults.runDirectory)")
  }

  /// Whether others than the owner may write there; a group of the operator's own is nobody else.
  private static func isOpen(_ about: FileStatus) -> Bool {
    let isOwnGroup = about.gid == 0 || about.gid == CurrentProcess.effectiveGroup || about.gid == variable("SUDO_GID")
    return about.permissions & (isOwnGroup ? 0o002 : 0o022) != 0
  }

  /// Who has called sudo(8): the operator, by another name.
  private static var invoker: UInt32? { variable("SUDO_UID") }

  /// Whether the kernel shows users that this namespace has no number for by this one (user_namespaces(7)).
  private static func isNobodyHere(_ user: UInt32) -> Bool {
    guard let shown = try? readFile("/proc/sys/kernel/overflowuid"), let map = try? readFile("/proc/self/uid_map")
    else { return false }
    return Array("\(user)\n".utf8) == shown && !IDMap(map).has(user)
  }

  private static func variable(_ name: String) -> UInt32? { getenv(name).flatMap { UInt32(String(cString: $0)) } }
}
