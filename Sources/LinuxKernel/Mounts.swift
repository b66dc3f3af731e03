import CLinux

/// Attributes of a mount, as mount_setattr(2) names them.
package struct MountAttributes: OptionSet, Sendable, Hashable {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }
  package init(arrayLiteral elements: MountAttributes...) { rawValue = elements.reduce(0) { $0 | $1.rawValue } }
  package static let readOnly = MountAttributes(rawValue: 0x1)
  package static let noSetuid = MountAttributes(rawValue: 0x2)
  package static let noDevices = MountAttributes(rawValue: 0x4)
  package static let noExecute = MountAttributes(rawValue: 0x8)
}

/// How mounts and unmounts travel between copies of a mount (mount_namespaces(7)).
package enum Propagation: UInt64, Sendable {
  case `private` = 0x40000  // MS_PRIVATE
  case slave = 0x80000  // MS_SLAVE
}

/// A file system that is being configured (fsopen(2)).
package struct FileSystemContext: ~Copyable {
  private let descriptor: FileDescriptor

  package init(_ type: String) throws(Errno) {
    let number = try type.withPath { (text) throws(Errno) -> Int32 in
      try retrying("fsopen") { ax_fsopen(text, UInt32(FSOPEN_CLOEXEC)) }
    }
    descriptor = FileDescriptor(owning: number)
  }

  package func set(_ key: String, _ value: some KernelPath) throws(Errno) {
    let number = descriptor.rawValue
    try key.withPath { (name) throws(Errno) in
      try value.withPath { (text) throws(Errno) in
        try check("fsconfig") { ax_fsconfig(number, UInt32(FSCONFIG_SET_STRING.rawValue), name, text, 0) }
      }
    }
  }

  package func set(flag key: String) throws(Errno) {
    let number = descriptor.rawValue
    try key.withPath { (name) throws(Errno) in
      try check("fsconfig") { ax_fsconfig(number, UInt32(FSCONFIG_SET_FLAG.rawValue), name, nil, 0) }
    }
  }

  /// Makes the superblock and returns it as a mount that is attached nowhere yet (fsmount(2)).
  package consuming func mount(_ attributes: MountAttributes) throws(Errno) -> FileDescriptor {
    let number = descriptor.rawValue
    try check("fsconfig") { ax_fsconfig(number, UInt32(FSCONFIG_CMD_CREATE.rawValue), nil, nil, 0) }
    return FileDescriptor(
      owning: try retrying("fsmount") { ax_fsmount(number, UInt32(FSMOUNT_CLOEXEC), UInt32(attributes.rawValue)) })
  }

  /// What the kernel had to say about the last failure, for error messages; empty when nothing.
  package func complaint() -> String {
    guard let bytes = try? descriptor.read(upTo: 4096) else { return "" }
    return printable(bytes)
  }
}

/// A private copy of the mount at a path, attached nowhere (open_tree(2) with `OPEN_TREE_CLONE`).
package func cloneMount(_ path: some KernelPath, at directory: Int32 = currentDirectory, recursive: Bool)
  throws(Errno) -> FileDescriptor
{
  let flags = UInt32(OPEN_TREE_CLONE) | UInt32(O_CLOEXEC) | UInt32(AT_EMPTY_PATH) | (recursive ? 0x8000 : 0)
  let number = try path.withPath { (text) throws(Errno) -> Int32 in
    try retrying("open_tree") { ax_open_tree(directory, text, flags) }
  }
  return FileDescriptor(owning: number)
}

/// An open directory from which nothing above it can be reached: opened anew at the root of a mount that is attached nowhere,
/// whose `..` is itself. It stays so when that mount is gone.
///
/// For what crosses into a container, or stays open in its init: whoever comes by the descriptor there has this directory
/// and what is in it, and not the host. Needs CAP_SYS_ADMIN.
package func openUnwalkable(_ path: some KernelPath, at directory: Int32 = currentDirectory) throws(Errno)
  -> FileDescriptor
{
  let mount = try cloneMount(path, at: directory, recursive: false)
  return try openFile(".", O_RDONLY | O_DIRECTORY, at: mount.rawValue)
}

/// Attaches a detached mount on an open file or directory: no path is walked, so nothing can be swapped on the way.
package func attach(_ mount: borrowing FileDescriptor, onto target: borrowing FileDescriptor) throws(Errno) {
  let from = mount.rawValue
  let to = target.rawValue
  try check("move_mount") {
    ax_move_mount(from, "", to, "", UInt32(MOVE_MOUNT_F_EMPTY_PATH) | UInt32(MOVE_MOUNT_T_EMPTY_PATH))
  }
}

/// Changes a mount's attributes, and with `recursive` those of every mount below it.
package func setMountAttributes(
  _ mount: Int32, set: MountAttributes = [], clear: MountAttributes = [], propagation: Propagation? = nil,
  recursive: Bool
) throws(Errno) {
  let flags = UInt32(AT_EMPTY_PATH) | (recursive ? 0x8000 : 0)
  try check("mount_setattr") {
    ax_mount_setattr(mount, "", flags, set.rawValue, clear.rawValue, propagation?.rawValue ?? 0)
  }
}

/// The classic mount(2), for what must work before the descriptor calls can: our own paths only.
package func mountClassic(source: String?, target: String, type: String?, flags: UInt, data: String? = nil)
  throws(Errno)
{
  func withOptional<T>(_ text: String?, _ body: (UnsafePointer<CChar>?) throws(Errno) -> T) throws(Errno) -> T {
    guard let text else { return try body(nil) }
    return try text.withPath { (pointer) throws(Errno) -> T in try body(pointer) }
  }
  try withOptional(source) { (source) throws(Errno) in
    try target.withPath { (target) throws(Errno) in
      try withOptional(type) { (type) throws(Errno) in
        try withOptional(data) { (data) throws(Errno) in
          try check("mount") { mount(source, target, type, flags, data) }
        }
      }
    }
  }
}

/// Stops mounts and unmounts from travelling out of this mount namespace, which must be this process's own, and makes the root
/// that it sees the root of a mount, as pivot_root(2) wants it.
///
/// In a chroot(2) that may be any directory: then a copy of all that is mounted there goes over it. The mount that the
/// directory is in is reached by way of the namespace's own root only.
package func makeAllMountsPrivate(_ propagation: Propagation) throws(Errno) {
  func change() throws(Errno) {
    try mountClassic(source: nil, target: "/", type: nil, flags: UInt(propagation.rawValue) | UInt(MS_REC))
  }
  do throws(Errno) { return try change() } catch  where error.code == EINVAL {}
  let root = try openFile("/", O_PATH | O_DIRECTORY)
  let copy = try cloneMount("/", recursive: true)
  let namespace = try openFile("/proc/self/ns/mnt", O_RDONLY)
  let (here, number) = (namespace.rawValue, copy.rawValue)
  // To the namespace that it is in already: this leads to its root.
  try check("setns") { setns(here, CLONE_NEWNS) }
  try change()
  try setMountAttributes(number, propagation: propagation, recursive: true)
  try attach(copy, onto: root)
  try check("fchdir") { fchdir(number) }
  try check("chroot") { chroot(".") }
}

/// Makes `root`, a mount, the root of this mount namespace and lets the old one go (pivot_root(2)).
///
/// `pivot_root(".", ".")` stacks the old root on the new one, so that no directory for it is needed in an image.
package func pivotRoot(into root: borrowing FileDescriptor) throws(Errno) {
  let number = root.rawValue
  let old = try openFile("/", O_PATH | O_DIRECTORY)
  let oldNumber = old.rawValue
  try check("fchdir") { fchdir(number) }
  try check("pivot_root") { ax_pivot_root(".", ".") }
  // In the old root now: slave first, or the unmount below would travel to the host's mounts.
  try check("fchdir") { fchdir(oldNumber) }
  try mountClassic(source: nil, target: ".", type: nil, flags: UInt(Propagation.slave.rawValue) | UInt(MS_REC))
  try check("umount2") { umount2(".", Int32(MNT_DETACH)) }
  try check("chdir") { chdir("/") }
}

/// Makes a directory of ours the current one.
package func enterDirectory(_ path: String) throws(Errno) {
  try path.withPath { (text) throws(Errno) in try check("chdir") { chdir(text) } }
}

/// The name this UTS namespace gives the host. Counted in bytes, at most 64 (sethostname(2)).
package func setHostName(_ name: String) throws(Errno) {
  let bytes = Array(name.utf8).map { CChar(bitPattern: $0) }
  try check("sethostname") { sethostname(bytes, bytes.count) }
}
