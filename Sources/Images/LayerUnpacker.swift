import Glibc
import LinuxKernel

/// Unpacks one layer's tar stream into an empty directory.
///
/// Owners, modes, times, hard links, extended attributes and holes become what the archive says, independent of the
/// creation mask. Directories get their modes and times at the end: until then they are 0700, so that neither a set-gid
/// bit nor a later entry changes what belongs to another.
struct LayerUnpacker {
  private let tree: LayerTree
  private let stream: ByteStream
  private let form: LayerForm
  let budgets: Budgets
  private var tar: TarReader
  private var directories = PendingDirectories()
  private var entries: UInt64 = 0
  /// Sizes that files claim, holes included.
  private var claimedBytes: UInt64 = 0
  private var contentBytes: UInt64 = 0
  private var skippedDevices: UInt64 = 0
  var skippedAttributes: UInt64 = 0
  private var opaqueRoot = false
  /// Names of device nodes that were left out, and how long they are together: a hard link to one is one.
  private var deviceNames: Set<[UInt8]> = []
  private var deviceNameBytes = 0
  /// Hard links to what the layer does not have: one below may.
  private var links: [LayerGaps.Link] = []
  private var linkBytes = 0
  /// The last names of their targets, and what came later by such a name.
  private var linkTargets: Set<[UInt8]> = []
  private var later: [LayerGaps.Later] = []
  private var order = NameOrder()
  /// Whether AUFS' directory for files with several names was made.
  private var keepsForLinks = false
  /// New files are root's own already, and most files of an image shall be.
  private let createdAsRoot = geteuid() == 0

  /// `stream` must compute a digest; `root` is the empty directory, open for reading.
  init(
    _ stream: ByteStream, into root: consuming FileDescriptor, form: LayerForm = .layer, budgets: Budgets
  ) {
    tree = LayerTree(root: root)
    self.stream = stream
    self.form = form
    self.budgets = budgets
    tar = TarReader(stream, budgets: budgets)
  }

  /// Does all of it. On failure the directory holds a part of the layer, and is for the caller to remove.
  mutating func run() throws(ImageError) -> LayerReport {
    let mask = setCreationMask(0)
    defer { _ = setCreationMask(mask) }
    try prepareRoot()
    while let entry = try tar.next() {
      entries += 1
      guard entries <= budgets.entries else { throw .invalid("more than \(budgets.entries) entries") }
      do throws(ImageError) { try place(entry) } catch { throw error.at("entry \(printable(entry.name.prefix(512)))") }
    }
    try stream.drain()
    if keepsForLinks { try tree.remove(LayerPath.keptName) }
    try directories.settle(in: tree)
    var report = LayerReport(diffID: try stream.digest(), streamBytes: stream.received)
    report.contentBytes = contentBytes
    report.entries = entries
    report.skippedDevices = skippedDevices
    report.skippedAttributes = skippedAttributes
    report.opaqueRoot = opaqueRoot
    report.imageID = stream.imageID()
    report.gaps.directories = tree.implicitDirectories()
    report.gaps.links = links
    report.gaps.later = later
    report.gaps.displaced = tree.displaced
    // Without a directory that a lower layer may have a link for, nothing is at another place than it says.
    if !report.gaps.directories.isEmpty || !tree.displaced.isEmpty { report.gaps.again = order.again }
    return report
  }

  private func prepareRoot() throws(ImageError) {
    let root = tree.root.rawValue
    if foldsCase(root) {
      throw .invalid(
        "the store's file system folds case, so names of an image would fall together", hint: "name another --work-dir")
    }
    try kernel("prepare the layer's directory") { () throws(Errno) in
      // What a default access control list above would give to every file here.
      try removeAttribute("system.posix_acl_default", of: root)
      try removeAttribute("system.posix_acl_access", of: root)
      try changeMode(of: root, to: 0o755)
    }
  }

  private mutating func place(_ entry: TarEntry) throws(ImageError) {
    guard let entry = form == .aci ? try AppcShape.inRootfs(entry, budgets: budgets) : entry else { return }
    let path = try LayerPath(entry.name, budgets: budgets)
    if path.isRoot {
      guard entry.kind == .directory else { throw .invalid("the root of the layer must be a directory") }
      let inode = try kernel("look at the root") { () throws(Errno) in try status(of: tree.root.rawValue).inode }
      try setAttributes(entry, of: tree.root.rawValue)
      try kernel("set the owner") { () throws(Errno) in
        try changeOwner(of: tree.root.rawValue, uid: entry.uid, gid: entry.gid)
      }
      try directories.add([UInt8(ascii: ".")], inode: inode, entry, budgets: budgets)
      return
    }
    // AppC knows no whiteouts: a name is a name.
    switch form == .aci ? .plain : try path.meaning() {
    case .plain: break
    case .bookkeeping: return
    case .keptForLinks:
      guard entry.kind == .file else { return }
      keepsForLinks = true
    case .opaque:
      if path.parent.isEmpty { opaqueRoot = true }
      let directory = try tree.directory(path.parent)
      try tree.makeOpaque(directory.rawValue)
      return withExtendedLifetime(directory) {}
    case .whiteout(let name):
      let directory = try tree.directory(path.parent)
      try tree.makeWhiteout(name, in: directory.rawValue)
      return withExtendedLifetime(directory) {}
    }
    let parent = try tree.directory(path.parent)
    defer { withExtendedLifetime(parent) {} }
    if entry.kind == .characterDevice || entry.kind == .blockDevice {
      // Also 0:0, which overlayfs would take for a whiteout.
      return try skipDevice(path)
    }
    try path.text.withUnsafeBufferPointer { (bytes) throws(ImageError) in
      guard let base = bytes.baseAddress else { return }
      let name = RawPath(UnsafeRawPointer(base + path.leaf).assumingMemoryBound(to: CChar.self))
      try make(entry, path, name, in: parent.rawValue)
    }
    order.note(path, leavesDirectories: !tree.implicit.isEmpty, budgets)
    if !linkTargets.isEmpty, linkTargets.contains(Array(path.leafBytes)) { try noteLater(path) }
  }

  /// Where the layers below have a link on the way, this may be what a hard link before it leads to, and is not what it meant.
  private mutating func noteLater(_ path: LayerPath) throws(ImageError) {
    linkBytes += path.text.count
    guard linkBytes <= budgets.gapBytes else {
      throw .invalid(
        "files beside hard links to lower layers, whose names have more than \(budgets.gapBytes) bytes together")
    }
    later.append(LayerGaps.Later(path: Array(path.text.dropLast()), links: UInt64(links.count)))
  }

  private mutating func skipDevice(_ path: LayerPath) throws(ImageError) {
    skippedDevices += 1
    deviceNameBytes += path.text.count
    guard deviceNameBytes <= budgets.directoryNameBytes else {
      throw .invalid("names of devices of more than \(budgets.directoryNameBytes) bytes together")
    }
    deviceNames.insert(path.text)
  }

  private mutating func make(_ entry: TarEntry, _ path: LayerPath, _ name: RawPath, in parent: Int32) throws(ImageError)
  {
    switch entry.kind {
    case .file: try makeFile(entry, name, in: parent)
    case .directory:
      let inode = try tree.makeEntryDirectory(name, in: parent)
      try kernel("set the owner") { () throws(Errno) in
        try changeOwner(of: name, at: parent, uid: entry.uid, gid: entry.gid)
      }
      if !entry.attributes.isEmpty {
        let made = try kernel("open the directory") { () throws(Errno) in
          try openFile(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, at: parent)
        }
        try setAttributes(entry, of: made.rawValue)
      }
      try directories.add(Array(path.text.dropLast()), inode: inode, entry, budgets: budgets)
    case .symbolicLink:
      guard !entry.linkName.isEmpty, entry.linkName.count <= 4095 else {
        throw .invalid("the target of a symbolic link is empty or too long")
      }
      try tree.create(name, in: parent, "make the symbolic link") { () throws(Errno) in
        try makeSymbolicLink(name, to: entry.linkName, at: parent)
      }
      skippedAttributes += UInt64(entry.attributes.count)
      try finish(entry, name, in: parent)
    case .hardLink:
      let target: LayerPath
      do throws(ImageError) { target = try LayerPath(entry.linkName, budgets: budgets) } catch {
        throw error.at("hard link to \(printable(entry.linkName.prefix(512)))")
      }
      if target.isRoot { throw .invalid("a hard link to a directory") }
      if try tree.makeLink(to: target, name, in: parent) { return }
      if deviceNames.contains(target.text) { return try skipDevice(path) }
      linkBytes += path.text.count + target.text.count
      guard linkBytes <= budgets.gapBytes else {
        throw .invalid("hard links to lower layers, whose names have more than \(budgets.gapBytes) bytes together")
      }
      try tree.clearIfPresent(name, in: parent)
      links.append(LayerGaps.Link(name: Array(path.text.dropLast()), target: Array(target.text.dropLast())))
      tree.linkCount += 1
      linkTargets.insert(Array(target.leafBytes))
    case .fifo:
      try tree.create(name, in: parent, "make the fifo") { () throws(Errno) in
        try makeNode(name, mode: UInt32(S_IFIFO) | entry.mode & 0o777, major: 0, minor: 0, at: parent)
      }
      skippedAttributes += UInt64(entry.attributes.count)
      try finish(entry, name, in: parent)
      if entry.mode & 0o7000 != 0 {
        try kernel("set the mode") { () throws(Errno) in try changeMode(of: name, at: parent, to: entry.mode) }
      }
    case .characterDevice, .blockDevice: break
    }
  }

  /// Owner and times of what cannot be opened without an effect.
  private func finish(_ entry: TarEntry, _ name: RawPath, in parent: Int32) throws(ImageError) {
    try kernel("set owner and times") { () throws(Errno) in
      if entry.uid != 0 || entry.gid != 0 || !createdAsRoot {
        try changeOwner(of: name, at: parent, uid: entry.uid, gid: entry.gid)
      }
      try setTimes(of: name, at: parent, to: entry.modified)
    }
  }

  private mutating func makeFile(_ entry: TarEntry, _ name: RawPath, in parent: Int32) throws(ImageError) {
    claimedBytes += entry.size
    guard claimedBytes <= budgets.unpackedBytes else {
      throw .invalid("files of more than \(budgets.unpackedBytes) bytes together")
    }
    let file = try tree.create(name, in: parent, "make the file") { () throws(Errno) in
      try openFile(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: entry.mode & 0o777, at: parent)
    }
    let number = file.rawValue
    if let regions = entry.sparse {
      try writeSparse(regions, size: entry.size, to: number)
    } else {
      while true {
        let piece = try tar.data()
        if piece.isEmpty { break }
        try kernel("write its content") { () throws(Errno) in try writeAll(piece, to: number) }
        contentBytes += UInt64(piece.count)
      }
    }
    // The owner first: changing it clears set-user-id bits and file capabilities.
    try kernel("set the owner and the mode") { () throws(Errno) in
      if entry.uid != 0 || entry.gid != 0 || !createdAsRoot {
        try changeOwner(of: number, uid: entry.uid, gid: entry.gid)
      }
      if entry.mode & 0o7000 != 0 { try changeMode(of: number, to: entry.mode) }
    }
    if !entry.attributes.isEmpty { try setAttributes(entry, of: number) }
    try kernel("set its times") { () throws(Errno) in try setTimes(of: number, to: entry.modified) }
    do throws(Errno) { try file.close() } catch { throw ImageError(error, doing: "write its content") }
  }

  private mutating func writeSparse(_ regions: [TarEntry.Region], size: UInt64, to file: Int32) throws(ImageError) {
    for region in regions {
      var offset = Int64(region.offset)
      var left = region.length
      while left > 0 {
        let piece = try tar.data(upTo: left)
        if piece.isEmpty { throw .invalid("a sparse file with less data than its map says") }
        try kernel("write its content") { () throws(Errno) in try writeAll(piece, to: file, at: offset) }
        contentBytes += UInt64(piece.count)
        offset += Int64(piece.count)
        left -= UInt64(piece.count)
      }
    }
    try kernel("set its length") { () throws(Errno) in try setLength(of: file, to: Int64(size)) }
  }
}
