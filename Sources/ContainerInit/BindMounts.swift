import Glibc
import LaunchModel
import LinuxKernel

/// Mounts what of the host belongs into a container, by the detached mounts that the launcher made of it.
///
/// In the order of how deep the places are that the targets stand for, whatever the order of the document: a volume at
/// `/data` never hides one at `/data/cache`. A link may lead a target elsewhere, also one in a volume that was mounted a
/// moment ago; so each place is looked at once more when its turn comes.
struct BindMounts {
  private let root: RootDirectory
  /// Places that something of ours or of the task's is mounted on, by their components.
  private var taken: [[[UInt8]]] = []

  init(_ root: RootDirectory) { self.root = root }

  /// - Parameter sources: one for each mount, in their order.
  mutating func attach(_ mounts: [BindMount], _ sources: [SharedDescriptor]) throws(SetupError) {
    guard mounts.count == sources.count else {
      throw SetupError("there are \(sources.count) sources for \(mounts.count) mounts")
    }
    var order: [(rank: Int, depth: Int, index: Int)] = []
    for (index, mount) in mounts.enumerated() {
      // Where ours go nothing has to be found out: they are there first, and the optional ones last.
      let depth = mount.kind == .volume ? try root.place(mount.target).count : mount.target.utf8.count
      order.append((mount.kind.rank, depth, index))
    }
    for (_, _, index) in order.sorted(by: <) { try attach(mounts[index], sources[index]) }
  }

  private mutating func attach(_ mount: BindMount, _ source: SharedDescriptor) throws(SetupError) {
    do {
      let isDirectory = try status(of: source.rawValue).isDirectory
      let target: FileDescriptor
      do throws(SetupError) {
        target = try root.mountPoint(mount.target, forDirectory: isDirectory)
      } catch {
        if mount.kind == .optional { return }
        throw error
      }
      let place = try RootDirectory.place(of: target)
      if taken.contains(where: { $0.starts(with: place) }) {
        // The task has its own there.
        if mount.kind == .optional { return }
        throw SetupError(
          "cannot mount \(mount.source) on \(mount.target): it would cover something else that is mounted there",
          hint: "the sandbox, its .logs and what lies above them stay as they are; give every volume a place of its own"
        )
      }
      try refuseKernelFileSystem(target, mount.target)
      let attributes = MountAttributes(rawValue: mount.attributes)
      // What comes later comes as the host mounts it: writable, also below what is not.
      let seesLater = mount.kind == .volume && !attributes.contains(.readOnly)
      try setMountAttributes(
        source.rawValue, set: attributes, propagation: seesLater ? .slave : .private, recursive: mount.recursive)
      try LinuxKernel.attach(source.descriptor, onto: target)
      taken.append(place)
    } catch let error as SetupError {
      throw error
    } catch let error as Errno {
      throw SetupError("cannot mount \(mount.source) on \(mount.target)", error)
    } catch {
      throw SetupError("cannot mount \(mount.source) on \(mount.target): \(error)")
    }
  }

  /// A link of the image may lead a mount of ours onto `/proc`, `/sys` or the root itself; masks and reads of ours would
  /// then meet the task's own files.
  private func refuseKernelFileSystem(_ place: borrowing FileDescriptor, _ target: String) throws {
    // proc, sysfs, devpts, cgroup, cgroup2
    let kernel: [UInt64] = [0x9fa0, 0x6265_6572, 0x1cd1, 0x27e0eb, 0x6367_7270]
    let root = try status(of: root.descriptor.rawValue)
    let about = try status(of: place.rawValue)
    guard try !kernel.contains(fileSystemMagic(of: place.rawValue)),
      about.inode != root.inode || about.mountID != root.mountID
    else {
      throw SetupError(
        "cannot mount on \(target): it leads to the root or to a file system of the kernel",
        hint: "a link in the image leads there; choose another path or rebuild the image")
    }
  }
}

extension BindMount.Kind {
  /// Ours are there before a volume could cover them, and what is optional finds a volume in its place.
  fileprivate var rank: Int {
    switch self {
    case .own: 0
    case .volume: 1
    case .optional: 2
    }
  }
}
