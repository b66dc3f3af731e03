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

extension Identity: WireRecord {
  package static let blank = Identity(name: "", uid: 0, gid: 0, groupName: "", supplementaryGroups: [])
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&name)
    try pass.field(&uid)
    try pass.field(&gid)
    try pass.field(&groupName)
    try pass.field(&supplementaryGroups)
    try pass.field(&shell)
  }
}
