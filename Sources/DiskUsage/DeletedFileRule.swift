import LinuxKernel

/// Which deleted files count: those that the task can have made, or written to. What somebody else has deleted or replaced is
/// not the task's, however long it is read or executed.
///
///     in places of the task's own, or by a mount that is not the container's    all
///     by a mount that the task can write by, or beside one                      its user's, what others than the owner may
///                                                                               write to, and what is open for writing
///     where nothing can be written                                              none
///
/// The places of its own are those that are measured: there a file of anybody's is there for the task, who may have handed him the
/// directory. Elsewhere a name costs the task nothing, so who can make a file there gains no room by having it deleted.
struct DeletedFileRule {
  /// A directory or a file of a file system.
  struct Place: Equatable {
    let device: [UInt8]
    let path: [[UInt8]]
  }

  private enum Kind { case own, shared, readOnly }

  private let mounts: [UInt64: MountEntry]
  /// `nil` where it is not known: then everything is taken to be the task's.
  private let places: [Place]?
  /// Of the container's own root, which shows the writable layer.
  private let rootDevice: [UInt8]?
  private let user: UInt32?
  private var kinds: [UInt64: Kind] = [:]

  /// - Parameters:
  ///   - mounts: the container's.
  ///   - places: of the task's own.
  ///   - hasRoot: whether the container's root is its own as well.
  ///   - user: the only one whose files the task can make; `nil` where it may make anybody's.
  init(mounts: [MountEntry], places: [Place]?, hasRoot: Bool, user: UInt32?) {
    self.mounts = Dictionary(mounts.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    // What was mounted last is on top.
    rootDevice = hasRoot ? mounts.last { $0.place.isEmpty }?.device : nil
    self.places = hasRoot && rootDevice == nil ? nil : places
    self.user = user
  }

  /// The same of a container.
  ///
  /// - Parameter pid: its init.
  init(initPID pid: Int32, _ roots: [DiskTree.Root], user: UInt32?) {
    let inside = MountEntry.all(ofProcess: String(pid))
    // Where ids inside are not those that this process sees, whose a file is says nothing.
    let map = try? readFile("/proc/\(pid)/uid_map", limit: 65536)
    let isSame = map.map { (try? readFile("/proc/self/uid_map", limit: 65536)) == $0 } ?? false
    self.init(
      mounts: inside, places: DeletedFileRule.places(of: roots, MountEntry.all(ofProcess: "self"), inside),
      hasRoot: roots.contains(where: \.isWritableLayer), user: isSame ? user : nil)
  }

  /// Where on their file systems roots are; `nil` where it cannot be told of one.
  static func places(of roots: [DiskTree.Root], _ outside: [MountEntry], _ inside: [MountEntry]) -> [Place]? {
    var found: [Place] = []
    for root in roots {
      let descriptor = root.directory.rawValue
      guard let id = (try? status(of: descriptor))?.mountID, !isRemoved(descriptor) else { return nil }
      if let mount = outside.first(where: { $0.id == id }) {
        guard let path = (try? readSymbolicLink("/proc/self/fd/\(descriptor)"))?.pathComponents,
          path.starts(with: mount.place), !mount.isOfDeleted
        else { return nil }
        let whole = mount.root + path.dropFirst(mount.place.count)
        // Beside a task's own directory are those of others: what was deleted there counts for nobody else.
        found.append(Place(device: mount.device, path: root.holdsFilesOnly ? whole.dropLast() : whole))
      } else if let mount = inside.first(where: { $0.id == id }) {
        // What an engine gives a container is a mount as a whole.
        found.append(Place(device: mount.device, path: mount.root))
      } else {
        return nil
      }
    }
    return found
  }

  /// - Parameter isOpenForWriting: asked where it matters.
  mutating func counts(_ about: FileStatus, isOpenForWriting: () -> Bool) -> Bool {
    let kind = kinds[about.mountID] ?? kind(of: about.mountID)
    kinds[about.mountID] = kind
    return switch kind {
    case .own: true
    // Access lists show as rights of the group.
    case .shared: user == nil || about.uid == user || about.mode & 0o022 != 0 || isOpenForWriting()
    case .readOnly: false
    }
  }

  private func kind(of id: UInt64) -> Kind {
    guard let places, let mount = mounts[id], !mount.isOfDeleted, mount.device != rootDevice else { return .own }
    let near = places.filter { $0.device == mount.device }
    if near.contains(where: { mount.root.starts(with: $0.path) }) { return .own }
    guard mount.isReadOnly else { return .shared }
    // A file can be made by one mount and held by another.
    let isWritable = mounts.values.contains { other in
      !other.isReadOnly && other.device == mount.device
        && (other.isOfDeleted || other.root.starts(with: mount.root) || mount.root.starts(with: other.root))
    }
    return isWritable || near.contains { $0.path.starts(with: mount.root) } ? .shared : .readOnly
  }
}
