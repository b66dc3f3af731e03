/// Which project id a task gets: pure, whoever knows the file system is asked.
///
/// A range of ours: what an administrator chooses by hand, Docker (from 1 up), Mesos (from 5000 up) and Kubernetes (from
/// 1048577 up) lie elsewhere.
struct ProjectIDs {
  static let range: ClosedRange<UInt32> = 0x4155_0000...0x4155_ffff
  /// How many are looked at before it is given up: each costs a system call.
  private static let attempts: UInt32 = 4096

  /// Those that `/etc/projid` names: somebody's, whether or not he uses them here.
  private let named: Set<UInt32>

  /// - Parameter file: the content of projid(5): lines of `name:id`.
  init(projid file: [UInt8]) {
    let lines = file.split(separator: UInt8(ascii: "\n"))
    named = Set(
      lines.compactMap { line in
        guard line.first != UInt8(ascii: "#"), let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        return UInt32(String(decoding: line[(colon + 1)...].filter { $0 != UInt8(ascii: " ") }, as: UTF8.self))
      })
  }

  /// The first that `take` takes, from the one at `start` on; nil when it takes none.
  ///
  /// Not from the lowest: executors that look at the same time shall not all look at the same.
  func first(from start: UInt32, _ take: (UInt32) throws -> Bool) rethrows -> UInt32? {
    let size = UInt32(ProjectIDs.range.count)
    for step in 0..<min(size, ProjectIDs.attempts) {
      let id = ProjectIDs.range.lowerBound + (start % size + step) % size
      if !named.contains(id), try take(id) { return id }
    }
    return nil
  }
}
