/// One step of making the container's world, done by `container-init` in the order of the plan.
///
/// Targets are paths in the container; they are resolved below the new root by
/// descriptor, never followed out of it.
package enum SetupStep: Sendable, Hashable {
  /// The root becomes an overlay of image layers, lowest first, with a private writable directory on top.
  case overlayRoot(layers: [String], upper: String, work: String)
  /// The root becomes a directory that has a copy of the image's files.
  case copiedRoot(CopiedRoot)
  /// The root becomes a private copy of the host's mounts.
  case hostRoot
  /// A directory, with its missing parents.
  case directory(target: String, mode: UInt32)
  /// A new file system. The target must be a real directory, not a link an image planted.
  case mount(type: String, target: String, options: [String], attributes: UInt64)
  /// Files and directories of the host, those first whose place is the least deep: none hides another.
  case binds([BindMount])
  /// A character device, made anew in the container's own `/dev`.
  case device(target: String, major: UInt32, minor: UInt32, mode: UInt32)
  case symbolicLink(target: String, content: String)
  /// The new root takes the place of the old one, which is gone from here on.
  case pivot
  /// Nothing can be read there any more. A path that does not exist is skipped.
  case mask(String)
  /// Nothing can be written there any more. A path that does not exist is skipped.
  case readOnly(String)
  case hostname(String)
  /// The role user and its group are in the account files of the root, with these numbers, or the launch fails.
  case account(Identity)
  /// The task's cgroup, on a file system of the kernel's.
  case ownCgroup(BindMount)

  /// What of other process and IPC namespaces is mounted anywhere, as the host's own in a chroot or in a volume, is seen no more:
  /// process file systems are covered, and message queues are the container's own.
  case hideForeign(processes: Bool, queues: Bool)

  /// Whether it makes a root of an image's files.
  package var isImageRoot: Bool {
    switch self {
    case .overlayRoot, .copiedRoot: true
    default: false
    }
  }

  /// Whether it makes the root: what runs in a plan without one sees the host as it is.
  package var isRoot: Bool {
    if case .hostRoot = self { true } else { isImageRoot }
  }

  /// What the step does, for error messages and `plan`.
  package var summary: String {
    switch self {
    case .overlayRoot(let layers, let upper, _): "stack \(layers.count) image layers below \(upper)"
    case .copiedRoot(let copy): "use a copy of the image in \(copy.directory): \(copy.reason)"
    case .hostRoot: "use the host's file system"
    case .directory(let target, _): "make the directory \(target)"
    case .mount(let type, let target, let options, _):
      "mount \(type) on \(target)" + (options.isEmpty ? "" : " (\(options.joined(separator: ",")))")
    case .binds(let mounts): mounts.map(\.summary).joined(separator: ", ")
    case .device(let target, let major, let minor, _): "make the device \(target) (\(major):\(minor))"
    case .symbolicLink(let target, let content): "link \(target) to \(content)"
    case .pivot: "change the root"
    case .mask(let path): "hide \(path)"
    case .readOnly(let path): "make \(path) read-only"
    case .hostname(let name): "set the host name \(name)"
    case .ownCgroup(let mount): mount.summary
    case .hideForeign(let processes, let queues):
      "hide others' "
        + [processes ? "/proc" : nil, queues ? "message queues" : nil].compactMap { $0 }.joined(
          separator: " and ")
    case .account(let identity): "provide the account \(identity.name) (\(identity.uid):\(identity.gid))"
    }
  }
}

extension SetupStep: WireValue {
  package init(from reader: inout WireReader) throws(WireError) {
    switch try reader.next(UInt8.self) {
    case 0: self = .overlayRoot(layers: try reader.next(), upper: try reader.next(), work: try reader.next())
    case 1: self = .hostRoot
    case 2: self = .directory(target: try reader.next(), mode: try reader.next())
    case 3:
      self = .mount(
        type: try reader.next(), target: try reader.next(), options: try reader.next(),
        attributes: try reader.next())
    case 4: self = .binds(try reader.next())
    case 5:
      self = .device(
        target: try reader.next(), major: try reader.next(), minor: try reader.next(),
        mode: try reader.next())
    case 6: self = .symbolicLink(target: try reader.next(), content: try reader.next())
    case 7: self = .pivot
    case 8: self = .mask(try reader.next())
    case 9: self = .readOnly(try reader.next())
    case 10: self = .hostname(try reader.next())
    case 11: self = .account(try reader.next())
    case 12: self = .ownCgroup(try reader.next())
    case 13: self = .copiedRoot(try reader.next())
    case 14: self = .hideForeign(processes: try reader.next(), queues: try reader.next())
    case let other: throw WireError("unknown set-up step \(other)")
    }
  }

  package func write(to writer: inout WireWriter) {
    switch self {
    case .overlayRoot(let layers, let upper, let work): writer.put(case: 0, layers, upper, work)
    case .hostRoot: writer.put(case: 1)
    case .directory(let target, let mode): writer.put(case: 2, target, mode)
    case .mount(let type, let target, let options, let attributes):
      writer.put(case: 3, type, target, options, attributes)
    case .binds(let mounts): writer.put(case: 4, mounts)
    case .device(let target, let major, let minor, let mode): writer.put(case: 5, target, major, minor, mode)
    case .symbolicLink(let target, let content): writer.put(case: 6, target, content)
    case .pivot: writer.put(case: 7)
    case .mask(let path): writer.put(case: 8, path)
    case .readOnly(let path): writer.put(case: 9, path)
    case .hostname(let name): writer.put(case: 10, name)
    case .account(let identity): writer.put(case: 11, identity)
    case .ownCgroup(let mount): writer.put(case: 12, mount)
    case .copiedRoot(let copy): writer.put(case: 13, copy)
    case .hideForeign(let processes, let queues): writer.put(case: 14, processes, queues)
    }
  }
}
