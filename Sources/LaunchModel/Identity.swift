/// Who the task's processes are: the role user with the host's numbers, inside and out.
package struct Identity: Sendable, Hashable {
  package var name: String
  package var uid: UInt32
  package var gid: UInt32
  /// The name of the primary group.
  package var groupName: String
  /// The host's supplementary groups of the user, by number.
  package var supplementaryGroups: [UInt32]
  package var shell: String

  package init(
    name: String, uid: UInt32, gid: UInt32, groupName: String, supplementaryGroups: [UInt32], shell: String = "/bin/sh"
  ) {
    self.name = name
    self.uid = uid
    self.gid = gid
    self.groupName = groupName
    self.supplementaryGroups = supplementaryGroups
    self.shell = shell
  }

  /// Whether `name` may be a role: `[A-Za-z0-9_.-]`, at most 32 bytes, no leading `-`, not all digits.
  package static func isValidName(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    func digit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    func letter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) && byte < 0x80 }
    guard (1...32).contains(bytes.count), bytes[0] != UInt8(ascii: "-"), !bytes.allSatisfy(digit) else { return false }
    guard bytes != [UInt8(ascii: ".")], bytes != [UInt8(ascii: "."), UInt8(ascii: ".")] else { return false }
    return bytes.allSatisfy {
      digit($0) || letter($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
    }
  }
}

extension Identity: WireValue {
  package init(from reader: inout WireReader) throws(WireError) {
    name = try reader.string()
    uid = try reader.integer()
    gid = try reader.integer()
    groupName = try reader.string()
    supplementaryGroups = try reader.list { (reader) throws(WireError) in try reader.integer(UInt32.self) }
    shell = try reader.string()
  }
  package func write(to writer: inout WireWriter) {
    writer.put(name)
    writer.put(uid)
    writer.put(gid)
    writer.put(groupName)
    writer.put(list: supplementaryGroups) { $1.put($0) }
    writer.put(shell)
  }
}
