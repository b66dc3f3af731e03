import CLinux

/// The kernel's warnings that a project goes beyond a limit of its quota, or was kept from it: messages of the generic netlink
/// family `VFS_DQUOT` (Documentation/filesystems/quota.rst of the kernel). Only in the host's own network namespace.
package final class QuotaWarnings {
  package struct Warning: Equatable, Sendable {
    /// Something was refused; otherwise a soft limit was passed.
    package var isRefusal: Bool
    /// The file system, as `FileStatus.device` has it.
    package var device: UInt64
    package init(isRefusal: Bool, device: UInt64) {
      self.isRefusal = isRefusal
      self.device = device
    }
  }

  private let socket: FileDescriptor
  private let isOfRefusals: Bool

  /// Either those of refusals or those of a soft limit that was passed: XFS sends one of the latter with every write beyond it,
  /// and those that are not taken in time keep out the others.
  ///
  /// Throws where the kernel sends no such warnings, or not here.
  package init(project: UInt32, refusals: Bool) throws(Errno) {
    isOfRefusals = refusals
    socket = FileDescriptor(owning: try retrying("socket") { ax_open_generic_netlink() })
    let number = socket.rawValue
    // CTRL_CMD_GETFAMILY (3) of the controller (16), version 1; CTRL_ATTR_FAMILY_NAME is 2.
    let name = Array("VFS_DQUOT\0".utf8)
    var request: [UInt8] = []
    request.put(UInt32(16 + 4 + 4 + 12))
    for field in [16, 1] as [UInt16] { request.put(field) }  // NLM_F_REQUEST
    for field in [1, 0] as [UInt32] { request.put(field) }
    request += [3, 1, 0, 0]
    for field in [UInt16(4 + name.count), 2] { request.put(field) }
    request += name + [0, 0]
    try socket.writeAll(request)
    guard let answer = try receive(), let group = Netlink(answer).group else {
      throw Errno("netlink(CTRL_CMD_GETFAMILY)", code: ENOENT)
    }
    // Others' warnings may be many.
    try check("setsockopt(SO_ATTACH_FILTER)") { ax_receive_warnings_of_project(number, project, refusals ? 1 : 0) }
    try check("setsockopt(NETLINK_ADD_MEMBERSHIP)") { ax_join_netlink_group(number, group) }
  }

  /// Readable when there is a warning.
  package var descriptor: Int32 { socket.rawValue }

  /// Those that have come. When there were too many to be kept, there was one.
  package func take(device: UInt64) -> [Warning] {
    var warnings: [Warning] = []
    // A bounded number: what is left makes the socket readable again.
    for _ in 0..<1024 {
      do throws(Errno) {
        guard let message = try receive() else { break }
        if let warning = Netlink(message).warning { warnings.append(warning) }
      } catch  where error.code == ENOBUFS {
        warnings.append(Warning(isRefusal: isOfRefusals, device: device))
      } catch {
        break
      }
    }
    return warnings.filter { $0.device == device }
  }

  /// One message; `nil` when there is none.
  private func receive() throws(Errno) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 8192)
    let number = socket.rawValue
    do throws(Errno) {
      let count = try retrying("recvmsg") { ax_receive_netlink(number, &buffer, buffer.count) }
      return Array(buffer[..<count])
    } catch  where error.code == EAGAIN {
      return nil
    }
  }
}

/// A message of generic netlink: 16 and 4 bytes of headers, then attributes: length and type (16 bits each), content, padded
/// to four bytes.
struct Netlink {
  private let attributes: [UInt16: ArraySlice<UInt8>]

  init(_ message: [UInt8]) { attributes = Netlink.attributes(message.dropFirst(20)) }

  private static func attributes(_ bytes: ArraySlice<UInt8>) -> [UInt16: ArraySlice<UInt8>] {
    var found: [UInt16: ArraySlice<UInt8>] = [:]
    var rest = bytes
    while rest.count >= 4, let length = number(rest.prefix(2)), length >= 4, length <= rest.count,
      let type = number(rest.dropFirst(2).prefix(2))
    {
      // The upper two bits are flags.
      found[UInt16(type & 0x3fff)] = rest.prefix(Int(length)).dropFirst(4)
      rest = rest.dropFirst((Int(length) + 3) & ~3)
    }
    return found
  }

  /// In the host's order, which is the same on every machine this runs on.
  private static func number(_ bytes: ArraySlice<UInt8>?) -> UInt64? {
    guard let bytes, !bytes.isEmpty, bytes.count <= 8 else { return nil }
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The first multicast group of a family: CTRL_ATTR_MCAST_GROUPS (7), in it a numbered list, CTRL_ATTR_MCAST_GRP_ID (2).
  var group: UInt32? {
    let groups = Netlink.attributes(attributes[7] ?? [])
    guard let first = groups.min(by: { $0.key < $1.key })?.value else { return nil }
    return Netlink.number(Netlink.attributes(first)[2]).flatMap { UInt32(exactly: $0) }
  }

  /// QUOTA_NL_A_WARNING (3), QUOTA_NL_A_DEV_MAJOR (4) and QUOTA_NL_A_DEV_MINOR (5); `nil` for what is no excess.
  var warning: QuotaWarnings.Warning? {
    guard let kind = Netlink.number(attributes[3]), let major = Netlink.number(attributes[4]),
      let minor = Netlink.number(attributes[5])
    else { return nil }
    switch kind {
    // QUOTA_NL_IHARDWARN, QUOTA_NL_ISOFTLONGWARN and the same of blocks; QUOTA_NL_ISOFTWARN, QUOTA_NL_BSOFTWARN.
    case 1, 2, 4, 5: return .init(isRefusal: true, device: major << 32 | minor)
    case 3, 6: return .init(isRefusal: false, device: major << 32 | minor)
    default: return nil
    }
  }
}

extension [UInt8] {
  fileprivate mutating func put(_ value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
