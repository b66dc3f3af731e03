import Glibc
import LaunchModel
import LinuxKernel

/// Carries out the set-up steps of a plan, in order, in the mount namespace that init was born into.
struct SetupInterpreter {
  private var root: RootDirectory?
  /// Mounts of what the plan takes from the host, in the order of its steps: those that have had no turn yet.
  private var sources: [SharedDescriptor] = []
  /// Where the last device or link was made: most come in a row, and nothing is mounted in between.
  private var last: (path: String, directory: SharedDescriptor)?
  /// What hides directories, once there is one.
  private var nothing: SharedDescriptor?

  /// For a root that is to be made by the first steps.
  init(sources: [SharedDescriptor]) { self.sources = sources }

  /// For a root that stands already, made by an engine for this launch: the steps work on it as it is.
  init(standingAt path: String) throws(SetupError) {
    do throws(Errno) {
      root = try RootDirectory(descriptor: try openFile(path, O_PATH | O_DIRECTORY), isOwn: true)
    } catch {
      throw SetupError("cannot open the root", error)
    }
  }

  /// Does every step; the first that fails ends it.
  mutating func run(_ steps: [SetupStep]) throws(SetupError) {
    for step in steps {
      do {
        try run(step)
      } catch let error as SetupError {
        throw error
      } catch let error as Errno {
        throw SetupError("cannot " + step.summary, error, hint: SetupInterpreter.hint(for: step, error))
      } catch {
        throw SetupError("cannot \(step.summary): \(error)")
      }
    }
  }

  private mutating func run(_ step: SetupStep) throws {
    if !step.makesOneFile { last = nil }
    switch step {
    case .overlayRoot(let layers, let upper, let work):
      try makeAllMountsPrivate(.slave)
      root = try RootDirectory(
        descriptor: try OverlayRoot.mount(layers: layers, upper: upper, work: work), isOwn: true)
    case .copiedRoot(let copy):
      try makeAllMountsPrivate(.slave)
      root = try RootDirectory(descriptor: try SetupInterpreter.mountCopy(copy.directory), isOwn: true)
    case .hostRoot:
      try makeAllMountsPrivate(.slave)
      root = try RootDirectory(descriptor: try openFile("/", O_PATH | O_DIRECTORY), isOwn: false)
    case .directory(let target, let mode):
      _ = try currentRoot().directory(target, mode: mode).rawValue
    case .mount(let type, let target, let options, let attributes):
      try mount(type, on: target, options: options, attributes: MountAttributes(rawValue: attributes))
    case .binds(let mounts):
      var binds = BindMounts(try currentRoot())
      try binds.attach(mounts, Array(sources.prefix(mounts.count)))
      sources.removeFirst(min(mounts.count, sources.count))
    case .device(let target, let major, let minor, let mode):
      let (directory, name) = try ownDirectory(of: target)
      try makeNode(name, mode: UInt32(S_IFCHR) | mode, major: major, minor: minor, at: directory.rawValue)
    case .symbolicLink(let target, let content):
      let (directory, name) = try ownDirectory(of: target)
      try makeSymbolicLink(name, to: content, at: directory.rawValue)
    case .pivot:
      try pivotRoot(into: currentRoot().descriptor)
      root = try RootDirectory(pivotedFrom: try currentRoot())
    case .mask(let path): try mask(path)
    case .readOnly(let path): try makeReadOnly(path)
    case .hostname(let name): try setHostName(name)
    case .ownCgroup(let mount): try attachCgroup(mount)
    case .hideForeign(let processes, let queues): try hideForeign(processes: processes, queues: queues)
    case .account(let identity): try ImageAccounts(root: currentRoot()).provide(identity)
    }
  }

  /// Programs can be executed there, whatever the mount that the directory is in says: overlayfs does not ask that either.
  private static func mountCopy(_ directory: String) throws(Errno) -> FileDescriptor {
    let place = try openFile(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW)
    let mount = try cloneMount([UInt8](), at: place.rawValue, recursive: false)
    try setMountAttributes(mount.rawValue, set: [.noSetuid, .noDevices], clear: .noExecute, recursive: false)
    try attach(mount, onto: place)
    return mount
  }

  /// The directory that something is to be made in, and its name there.
  private mutating func ownDirectory(of target: String) throws(SetupError) -> (SharedDescriptor, name: [UInt8]) {
    let (parent, name) = try currentRoot().split(target)
    if let last, last.path.utf8.elementsEqual(parent.utf8) { return (last.directory, name) }
    let directory = SharedDescriptor(try currentRoot().realDirectory(parent))
    try currentRoot().requireOwn(directory.descriptor, toMake: target)
    last = (parent, directory)
    return (directory, name)
  }

  private func currentRoot() throws(SetupError) -> RootDirectory {
    guard let root else { throw SetupError("the plan has no root before its first mount") }
    return root
  }

  private func mount(_ type: String, on target: String, options: [String], attributes: MountAttributes) throws {
    let place = try currentRoot().realDirectory(target)
    let context = try FileSystemContext(type)
    try context.set("source", type)
    for option in options {
      let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
      if parts.count == 2 { try context.set(parts[0], parts[1]) } else { try context.set(flag: option) }
    }
    let mount = try context.mount(attributes)
    if type == "tmpfs" { try currentRoot().addOwn(mount) }
    try attach(mount, onto: place)
  }

  private mutating func attachCgroup(_ mount: BindMount) throws {
    guard let cgroup = sources.first else { throw SetupError("there is no source for \(mount.target)") }
    sources.removeFirst()
    try setMountAttributes(
      cgroup.rawValue, set: MountAttributes(rawValue: mount.attributes), propagation: .private, recursive: false)
    try attach(cgroup.descriptor, onto: try currentRoot().realDirectory(mount.target))
  }

  /// Covers a file with `/dev/null` and a directory with an empty read-only file system. The container's own
  /// `/dev/null` was made by us, on a file system of ours; still it is checked to be that device (CVE-2025-31133).
  private mutating func mask(_ path: String) throws {
    if let place = try currentRoot().existing(path) { try cover(SharedDescriptor(place), path) }
  }

  private mutating func cover(_ place: SharedDescriptor, _ path: String) throws {
    if try status(of: place.rawValue).isDirectory {
      guard let nothing else {
        let context = try FileSystemContext("tmpfs")
        try context.set("size", "0")
        let first = SharedDescriptor(try context.mount([.readOnly, .noSetuid, .noDevices, .noExecute]))
        try attach(first.descriptor, onto: place.descriptor)
        nothing = first
        return
      }
      return try attach(try cloneMount([UInt8](), at: nothing.rawValue, recursive: false), onto: place.descriptor)
    }
    let null = try openFile("/dev/null", O_PATH | O_NOFOLLOW)
    guard try status(of: null.rawValue).isNullDevice else {
      throw SetupError("cannot hide \(path): /dev/null is not 1:3")
    }
    try attach(try cloneMount([UInt8](), at: null.rawValue, recursive: false), onto: place.descriptor)
  }

  /// A mount is told by its number: what a path leads to instead of it lies above it, and nobody comes to it.
  private mutating func hideForeign(processes: Bool, queues: Bool) throws {
    let own = try status(of: "/proc", followLinks: true).device
    var queue: SharedDescriptor?
    for mount in MountEntry.all(try readFile("/proc/self/mountinfo", limit: 64 << 20)) {
      let isProcess = mount.type.elementsEqual("proc".utf8)
      guard isProcess ? processes : queues && mount.type.elementsEqual("mqueue".utf8) else { continue }
      let path = Array(mount.place.joined(separator: [UInt8(ascii: "/")]))
      guard let opened = try currentRoot().existing(below: path) else { continue }
      let place = SharedDescriptor(opened)
      let found = try status(of: place.rawValue)
      guard found.mountID == mount.id else { continue }
      if isProcess {
        if found.device != own { try cover(place, "/" + printable(path)) }
        continue
      }
      if queue == nil {
        let context = try FileSystemContext("mqueue")
        queue = SharedDescriptor(try context.mount([.noSetuid, .noDevices, .noExecute]))
      }
      guard let queue, try status(of: queue.rawValue).device != found.device else { continue }
      // One queue alone, as a file.
      guard found.isDirectory else {
        try cover(place, "/" + printable(path))
        continue
      }
      try attach(try cloneMount([UInt8](), at: queue.rawValue, recursive: false), onto: place.descriptor)
    }
  }

  private func makeReadOnly(_ path: String) throws {
    guard let place = try currentRoot().existing(path) else { return }
    let copy = try cloneMount([UInt8](), at: place.rawValue, recursive: true)
    try setMountAttributes(copy.rawValue, set: .readOnly, recursive: true)
    try attach(copy, onto: place)
  }

  /// What may help where the error number alone misleads.
  private static func hint(for step: SetupStep, _ error: Errno) -> String {
    switch (step, error.code) {
    case (.overlayRoot, EINVAL):
      "the work directory must be on a file system that overlayfs can write to, not on overlayfs itself"
    case (.overlayRoot, ENODEV): "this kernel has no overlayfs"
    case (_, EPERM): "the executor needs CAP_SYS_ADMIN here"
    case (_, ENOSPC): "the limit of mounts (fs.mount-max) or the file system may be full"
    default: ""
    }
  }
}

extension SetupStep {
  /// It mounts nothing, and leaves what every path leads to as it is.
  fileprivate var makesOneFile: Bool {
    switch self {
    case .device, .symbolicLink: true
    default: false
    }
  }
}
