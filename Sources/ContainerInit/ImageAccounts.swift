import Glibc
import LaunchModel
import LinuxKernel

/// The role user in an image's account files.
///
/// Done after the root has changed: whatever links an image holds, they lead to places in the container. No program of
/// the image is run; the files are read and written as bytes.
package struct ImageAccounts {
  let root: RootDirectory
  private static let limit = 1 << 20

  init(root: RootDirectory) { self.root = root }

  /// Sees to it that the user and its group are there with the host's numbers: as they are when they agree, added when
  /// absent, refused when they say anything else.
  func provide(_ identity: Identity) throws(SetupError) {
    let etc = try root.directory("/etc", resolve: [.inRoot, .noMagicLinks, .noCrossMounts])
    let passwd = try read("passwd", in: etc)
    let group = try read("group", in: etc)
    let missing = try ImageAccounts.missing(
      identity, passwd: AccountFile(passwd ?? []), group: AccountFile(group ?? []))
    let shadow = missing.user ? try read("shadow", in: etc) : nil
    for file in try ImageAccounts.completed(identity, passwd: passwd, group: group, shadow: shadow) {
      try replace(file.name, by: file.content, added: file.line, mode: file.name == "shadow" ? 0o640 : 0o644, in: etc)
    }
  }

  /// An account file as it has to be.
  package struct Completed: Sendable {
    /// `passwd`, `group` or `shadow`.
    package let name: String
    package let content: [UInt8]
    /// What was added to it, without the newline.
    package let line: String
  }

  /// The account files that lack the user or the group, with them. Throws when what is there contradicts the host.
  package static func completed(_ identity: Identity, passwd: [UInt8]?, group: [UInt8]?, shadow: [UInt8]?)
    throws(SetupError) -> [Completed]
  {
    let missing = try ImageAccounts.missing(
      identity, passwd: AccountFile(passwd ?? []), group: AccountFile(group ?? []))
    func added(_ line: String, to name: String, _ old: [UInt8]) -> Completed {
      var content = old
      if let last = content.last, last != UInt8(ascii: "\n") { content.append(UInt8(ascii: "\n")) }
      return Completed(name: name, content: content + Array(line.utf8) + [UInt8(ascii: "\n")], line: line)
    }
    var files: [Completed] = []
    if missing.group { files.append(added("\(identity.groupName):x:\(identity.gid):", to: "group", group ?? [])) }
    guard missing.user else { return files }
    let line = "\(identity.name):x:\(identity.uid):\(identity.gid)::\(home):\(identity.shell)"
    files.append(added(line, to: "passwd", passwd ?? []))
    if let shadow { files.append(added("\(identity.name):!:::::::", to: "shadow", shadow)) }
    return files
  }

  /// The home directory written into `passwd`; programs see HOME, which is the sandbox.
  private static let home = "/"

  /// Which of the two lines are absent. Throws when a line that is there contradicts the host.
  static func missing(_ identity: Identity, passwd: AccountFile, group: AccountFile) throws(SetupError) -> (
    user: Bool, group: Bool
  ) {
    let hostUser = "\(identity.name):x:\(identity.uid):\(identity.gid)"
    let hostGroup = "\(identity.groupName):x:\(identity.gid)"
    func refuse(_ kind: String, _ name: String, _ line: AccountFile.Line, _ host: String) -> SetupError {
      SetupError(
        "the role \(kind) \(name) is not the same in the image: host \"\(host)\", image \"\(printable(line.bytes))\"",
        hint: "run the task with a role that the image lacks or has with the same numbers, or rebuild the image")
    }
    let users = passwd.lines(named: identity.name)
    for line in users where line.number(2) != identity.uid || line.number(3) != identity.gid {
      throw refuse("user", identity.name, line, hostUser)
    }
    if users.isEmpty, let other = passwd.lines(numbered: identity.uid).first {
      throw refuse("user", identity.name, other, hostUser)
    }
    let groups = group.lines(named: identity.groupName)
    for line in groups where line.number(2) != identity.gid {
      throw refuse("group", identity.groupName, line, hostGroup)
    }
    if groups.isEmpty, let other = group.lines(numbered: identity.gid).first {
      throw refuse("group", identity.groupName, other, hostGroup)
    }
    return (users.isEmpty, groups.isEmpty)
  }

  /// The content of an account file; `nil` when there is none. Links are followed inside the root and never into a
  /// volume; a fifo, a device or a directory is refused, never waited for.
  private func read(_ name: String, in etc: borrowing FileDescriptor) throws(SetupError) -> [UInt8]? {
    do throws(Errno) {
      let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY
      let path = "etc/" + name
      let file: FileDescriptor
      do throws(Errno) {
        // A device is never opened: what it is gets looked at first.
        let probe = try openBelow(
          root.descriptor.rawValue, path, O_PATH, resolve: [.inRoot, .noMagicLinks, .noCrossMounts])
        guard try status(of: probe.rawValue).isRegularFile else { throw Errno("open", code: EINVAL) }
        file = try openBelow(
          root.descriptor.rawValue, path, flags, resolve: [.inRoot, .noMagicLinks, .noCrossMounts])
      } catch  where error.code == ENOENT {
        if let entry = try? status(of: name, at: etc.rawValue), entry.isSymbolicLink {
          throw Errno("open", code: ENOENT)
        }
        return nil
      }
      let bytes = try file.readToEnd(limit: ImageAccounts.limit)
      if bytes.contains(0) { throw Errno("read", code: EILSEQ) }
      return bytes
    } catch {
      throw unusable(name, error)
    }
  }

  private func unusable(_ name: String, _ error: Errno) -> SetupError {
    let why =
      switch error.code {
      case EINVAL: "it is not a regular file"
      case ENOENT: "it is a link that leads nowhere in the image"
      case EXDEV: "it is a mount, or a link that leads into one"
      case EFBIG: "it is larger than \(ImageAccounts.limit) bytes"
      case EILSEQ: "it contains a NUL byte"
      default: error.description
      }
    return SetupError(
      "cannot provide the role user: /etc/\(name) of the image cannot be used: \(why)",
      hint: "rebuild the image with an ordinary /etc/\(name), or without one")
  }

  /// Replaces a file, keeping mode and owner, by a rename: nobody sees half of it.
  private func replace(
    _ name: String, by content: [UInt8], added line: String, mode: UInt32, in etc: borrowing FileDescriptor
  ) throws(SetupError) {
    do throws(Errno) {
      let about = try? status(of: name, at: etc.rawValue)
      // A link was good enough to read; what to replace it with is not ours to guess.
      if let about, about.isSymbolicLink { throw Errno("rename", code: ELOOP) }
      let directory = try openBelow(etc.rawValue, ".", O_RDONLY | O_DIRECTORY, resolve: [.beneath])
      let temporary = ".\(name).aurora-executor"
      try removeTree(temporary, at: directory.rawValue)
      let file = try openFile(
        temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600, at: directory.rawValue)
      try changeOwner(of: file.rawValue, uid: about?.uid ?? 0, gid: about?.gid ?? 0)
      // Write permission for group and others would let a task make itself a user (CVE-2025-7195).
      try changeMode(of: file.rawValue, to: (about?.permissions ?? mode) & ~0o022)
      try file.writeAll(content)
      try file.close()
      try rename(temporary, to: name, at: directory.rawValue)
    } catch {
      throw SetupError("cannot add \"\(line)\" to /etc/\(name) of the image", error)
    }
  }
}
