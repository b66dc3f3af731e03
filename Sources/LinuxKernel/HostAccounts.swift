import CLinux

/// Accounts of this host, as getent(1) sees them, so that LDAP and the like work: a static program has no name service
/// of its own.
package enum HostAccounts {
  /// Who is asked for what is not in the files.
  package static let program = "/usr/bin/getent"

  package struct User: Sendable, Equatable {
    package let name: String
    package let uid: UInt32
    package let gid: UInt32
    package let shell: String
  }

  /// The user called `name`, or with that number when it is all digits; `nil` when the host has none.
  package static func user(_ name: String) throws(Errno) -> User? {
    // What stands in the files is found there by every name service; asking another program is for the rest.
    let local = AccountFile((try? readFile("/etc/passwd", limit: 16 << 20)) ?? [])
    let number = AccountFile.number(Array(name.utf8))
    if let line = number.map({ local.lines(numbered: $0).first }) ?? local.lines(named: name).first {
      return user(line)
    }
    return AccountFile(try ask(["passwd", name])).lines.first.flatMap(user)
  }

  private static func user(_ line: AccountFile.Line) -> User? {
    guard let name = line.text(0), let uid = line.number(2), let gid = line.number(3) else { return nil }
    return User(name: name, uid: uid, gid: gid, shell: line.text(6).flatMap { $0.isEmpty ? nil : $0 } ?? "/bin/sh")
  }

  /// The name of a group; `nil` when the host has none for the number.
  package static func groupName(_ gid: UInt32) throws(Errno) -> String? {
    let local = AccountFile((try? readFile("/etc/group", limit: 16 << 20)) ?? [])
    if let line = local.lines(numbered: gid).first { return line.text(0) }
    return AccountFile(try ask(["group", String(gid)])).lines.first?.text(0)
  }

  /// All names of a group; none when the host has none for the number. Fails where that cannot be found out.
  package static func groupNames(_ gid: UInt32) throws(Errno) -> [String] {
    let names = AccountFile(try readFile("/etc/group", limit: 16 << 20)).lines(numbered: gid).compactMap { $0.text(0) }
    return names.isEmpty && !groupsAreLocal() ? try groupName(gid).map { [$0] } ?? [] : names
  }

  /// The groups of a user besides the primary one, by number, in the order of the data base.
  package static func supplementaryGroups(of user: User) throws(Errno) -> [UInt32] {
    var groups: [UInt32] = []
    if groupsAreLocal() {
      let name = Array(user.name.utf8)
      for line in AccountFile(try readFile("/etc/group", limit: 16 << 20)).lines where line.fields.count > 3 {
        if line.fields[3].split(separator: UInt8(ascii: ",")).contains(where: { Array($0) == name }),
          let number = line.number(2)
        {
          groups.append(number)
        }
      }
    } else {
      // "name  33 4 24": the name, then numbers.
      let words = try ask(["initgroups", user.name]).split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
      groups = words.dropFirst().compactMap { AccountFile.number(Array($0)) }
    }
    return groups.indices.filter { groups[$0] != user.gid && !groups[..<$0].contains(groups[$0]) }.map { groups[$0] }
  }

  /// Whether nsswitch.conf(5) names nothing but files for groups. systemd's module adds no members to them.
  private static func groupsAreLocal() -> Bool {
    guard let text = try? readFile("/etc/nsswitch.conf") else { return true }
    var sources: [String] = ["files"]
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let words = String(decoding: line, as: UTF8.self).split { $0 == " " || $0 == "\t" || $0 == ":" }.map(String.init)
      guard let data = words.first, ["group", "initgroups"].contains(data) else { continue }
      sources = Array(words.dropFirst())
      if data == "initgroups" { break }
    }
    return sources.allSatisfy { ["files", "systemd", "compat"].contains($0) }
  }

  /// What getent prints; empty when it knows no such thing.
  private static func ask(_ arguments: [String]) throws(Errno) -> [UInt8] {
    let null = try openFile("/dev/null", O_RDWR)
    let (child, output) = try start { (writer) throws(Errno) in
      var request = SpawnRequest(
        executable: .path(HostAccounts.program), arguments: ["getent", "--"] + arguments,
        descriptors: [null.rawValue, writer, null.rawValue])
      request.environment = ["PATH=/usr/bin:/bin", "LC_ALL=C"]
      do throws(SpawnError) { return SharedChild(try request.spawn()) } catch { throw error.errno }
    }
    let bytes = try output.descriptor.readToEnd(limit: 1 << 20)
    _ = try child.process.wait()
    return bytes
  }

  /// Starts a child with the writing end of a pipe, of which this process keeps no copy: otherwise the end of the
  /// output would never be seen.
  private static func start(_ spawn: (Int32) throws(Errno) -> SharedChild) throws(Errno) -> (
    SharedChild, SharedDescriptor
  ) {
    let pipe = try makePipe()
    defer { withExtendedLifetime(pipe) {} }
    return (try spawn(pipe.second.rawValue), pipe.first)
  }

  private final class SharedChild {
    let process: ChildProcess
    init(_ process: consuming ChildProcess) { self.process = process }
  }
}
