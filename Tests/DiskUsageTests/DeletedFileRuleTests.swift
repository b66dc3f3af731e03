import Glibc
import Testing

@testable import DiskUsage
@testable import LinuxKernel

/// Which deleted files are the task's.
@Suite struct DeletedFileRuleTests {
  /// A container with an image, its sandbox, two volumes that it can write to, one of them shown elsewhere as well, and some that
  /// it cannot.
  private static let mounts = """
    10 9 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/l
    11 10 8:1 /w/tasks/t/sandbox /sandbox rw - ext4 /dev/sda rw
    12 11 8:1 /w/tasks/t/logs /sandbox/.logs ro - ext4 /dev/sda rw
    13 10 8:1 /srv/out /out rw - ext4 /dev/sda rw
    14 10 8:1 /srv/out/deep /shown ro,nosuid - ext4 /dev/sda rw
    15 10 8:1 /srv/in /in ro - ext4 /dev/sda rw
    16 10 8:1 /srv /srv ro - ext4 /dev/sda rw
    17 10 8:1 /w /work ro - ext4 /dev/sda rw
    18 10 8:1 /w/tasks/other/sandbox /other ro - ext4 /dev/sda rw
    19 10 8:2 /srv/out /second ro - ext4 /dev/sdb rw
    20 10 8:1 /srv/a\\040b /blank rw - ext4 /dev/sda rw
    21 10 8:1 /old//deleted /old ro - ext4 /dev/sda rw
    22 10 0:50 /tmp /bound rw - overlay overlay rw,lowerdir=/l
    """

  private static func place(_ path: String) -> DeletedFileRule.Place {
    .init(device: Array("8:1".utf8), path: Array(path.utf8).pathComponents)
  }

  private func rule(user: UInt32?, isKnown: Bool = true, hasRoot: Bool = true) -> DeletedFileRule {
    DeletedFileRule(
      mounts: MountEntry.all(Array(Self.mounts.utf8)),
      places: isKnown ? [Self.place("/w/tasks/t/sandbox"), Self.place("/w/tasks")] : nil, hasRoot: hasRoot, user: user)
  }

  private func file(of uid: UInt32, by mount: UInt64, mode: UInt32 = 0o644) -> FileStatus {
    FileStatus(
      mode: UInt32(S_IFREG) | mode, uid: uid, gid: 0, size: 0, blocks: 0, links: 0, inode: 1, device: 1, deviceType: 0,
      mountID: mount, modified: 0, modifiedNanoseconds: 0, changed: 0)
  }

  private func counts(_ rule: DeletedFileRule, _ file: FileStatus, writing: Bool = false) -> Bool {
    var rule = rule
    return rule.counts(file, isOpenForWriting: { writing })
  }

  /// By each mount: whether a file of the task's user counts, one of somebody else's, and that of a task of root.
  @Test(
    arguments: [
      (10, true, true, true), (11, true, true, true), (12, true, true, true), (13, true, false, true),
      (14, true, false, true), (15, false, false, false), (16, true, false, true), (17, true, false, true),
      (18, true, true, true), (19, false, false, false), (20, true, false, true), (21, true, true, true),
      (22, true, true, true), (99, true, true, true), (0, true, true, true),
    ] as [(UInt64, Bool, Bool, Bool)])
  func whatTheTaskCanHaveMadeCounts(mount: UInt64, own: Bool, others: Bool, ofRoots: Bool) {
    #expect(counts(rule(user: 33), file(of: 33, by: mount)) == own)
    #expect(counts(rule(user: 33), file(of: 5, by: mount)) == others)
    // Whoever may write to it may have.
    for mode: UInt32 in [0o646, 0o664] {
      #expect(counts(rule(user: 33), file(of: 5, by: mount, mode: mode)) == own)
    }
    #expect(counts(rule(user: 33), file(of: 5, by: mount), writing: true) == own)
    #expect(counts(rule(user: nil), file(of: 5, by: mount)) == ofRoots)
  }

  @Test func whereLittleIsKnownEverythingCounts() {
    #expect(counts(rule(user: 33, isKnown: false), file(of: 5, by: 15)))
    #expect(counts(DeletedFileRule(mounts: [], places: [], hasRoot: true, user: 33), file(of: 5, by: 15)))
    // On the host's file system the root is somebody else's.
    #expect(!counts(rule(user: 33, hasRoot: false), file(of: 5, by: 10)))
  }

  @Test func placesAreFoundOnTheirFileSystems() throws {
    let path = "/tmp/aurora-places-\(UInt32.random(in: 0 ... .max))"
    try makeDirectories(path + "/tasks/t/sandbox")
    defer { try? removeTree(path) }
    let roots = [
      try DiskTree.Root(label: "sandbox", path: path + "/tasks/t/sandbox"),
      try DiskTree.Root(label: DiskTree.Root.record, path: path + "/tasks/t"),
    ]
    let outside = MountEntry.all(ofProcess: "self")
    let found = try #require(DeletedFileRule.places(of: roots, outside, []))
    #expect(found.count == 2 && found[0].path.starts(with: found[1].path) && found[1].path.last == Array("tasks".utf8))
    #expect(found[0].path.count == found[1].path.count + 2)
    // As a container has it: nothing but its mount says where it is.
    #expect(DeletedFileRule.places(of: roots, [], outside)?.count == 2)
    #expect(DeletedFileRule.places(of: roots, [], []) == nil)
    try removeTree(path)
    #expect(DeletedFileRule.places(of: roots, outside, []) == nil)
  }

  @Test func aFileThatANeighbourHasDeletedIsTheNeighbours() throws {
    guard CurrentProcess.effectiveUser == 0 else { return }
    let path = "/tmp/aurora-neighbour-\(UInt32.random(in: 0 ... .max))"
    try makeDirectories(path + "/tasks/t/sandbox")
    defer { try? removeTree(path) }
    let roots = [
      try DiskTree.Root(label: "sandbox", path: path + "/tasks/t/sandbox"),
      try DiskTree.Root(label: DiskTree.Root.record, path: path + "/tasks/t"),
    ]
    func found(_ place: String, of owner: UInt32, writing: Bool = false) throws -> UInt64 {
      let name = "\(path)/\(place)/data"
      let made = try openFile(name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
      try made.writeAll([UInt8](repeating: 1, count: 1 << 20))
      try changeOwner(of: made.rawValue, uid: owner, gid: owner)
      let held = try openFile(name, writing ? O_RDWR : O_RDONLY)
      let child = try SpawnRequest(
        executable: .path("/bin/sleep"), arguments: ["sleep", "60"], descriptors: [0, 1, 2, held.rawValue]
      ).spawn()
      defer {
        try? child.signal(SIGKILL)
        _ = try? child.wait()
      }
      try removeFile(name)
      let all = try DiskTree.measure(
        roots, .init(entries: 1000, depth: 9), openFilesBelow: CurrentProcess.pid, madeBy: 33)
      return (all?.bytes ?? 0) >> 20
    }
    // Children of other tests may have a file of theirs open, of root's: that is none of this user's.
    #expect(try found("", of: 5) == 0)
    #expect(try found("", of: 5, writing: true) == 1)
    #expect(try found("", of: 33) == 1)
  }
}
