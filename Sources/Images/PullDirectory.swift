import Glibc
import LinuxKernel

/// The directory of the store that one pull fetches into: an OCI layout that grows. Two pulls of one name have the same, so that
/// the second waits; what a pull that died leaves is what the next one starts from, for every file is named by its digest and is
/// checked against it.
package final class PullDirectory {
  package let path: String
  private let name: String
  private var lock: SharedDescriptor?

  private let paths: StorePaths

  /// Takes the directory, making it where it is missing; `nil` while another pull has it.
  init?(_ name: String, in paths: StorePaths) throws(ImageError) {
    self.name = name
    self.paths = paths
    let parent = paths.pulls
    path = parent + "/" + name
    var attempts = 0
    while true {
      attempts += 1
      do throws(Errno) {
        try makeDirectories(path, mode: 0o700)
        let opened = try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        guard try FileLock.take(.exclusive, on: opened.rawValue, wait: false) else { return nil }
        // Whoever had it may have removed it before the lock was ours.
        if try status(of: path).inode == status(of: opened.rawValue).inode {
          lock = SharedDescriptor(opened)
          break
        }
      } catch  where error.code == ENOENT && attempts < 100 {
      } catch {
        throw ImageError(error, doing: "make \(path)")
      }
    }
    for name in [blobs, partial] {
      try kernel("make \(name)") { () throws(Errno) in try makeDirectories(name, mode: 0o700) }
    }
  }

  /// Where complete blobs are, each checked against the digest that is its name.
  private var blobs: String { path + "/blobs/sha256" }
  /// Where those are that grow.
  private var partial: String { path + "/partial" }

  package func blob(_ digest: Digest) -> String { blobs + "/" + digest.hex }
  package func partial(_ digest: Digest) -> String { partial + "/" + digest.hex }

  /// Where the archive of an AppC image grows, which has no digest before it is complete.
  package var archive: String { partial + "/image.aci" }

  /// Writes the documents that make a layout with one image of it.
  package func finish(index: [UInt8]) throws(ImageError) {
    for (name, bytes) in [("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)), ("index.json", index)] {
      try kernel("write \(path)/\(name)") { () throws(Errno) in
        try writeFileAtomically(path + "/" + name, bytes, mode: 0o600)
      }
    }
  }

  /// Whether there is anything that the next pull could start from.
  package var isOfUse: Bool {
    [blobs, partial].contains { directory in ((try? entries(of: directory)) ?? []).contains { !$0.name.isEmpty } }
  }

  /// Removes it with all that was fetched. What cannot be removed now is swept later.
  package func remove() {
    bestEffort("remove \(path)", tolerating: ETIMEDOUT) {
      try removeTree(Array(name.utf8), atPath: paths.pulls, until: Clock.now + Staging.patience)
    }
  }

  /// Removes what other pulls have left when there is not this much room: what is pulled goes before what may be pulled.
  package func makeRoom(for bytes: UInt64) {
    bestEffort("remove what other pulls have left") {
      let opened = try openFile(path, O_RDONLY | O_DIRECTORY)
      if try space(of: opened.rawValue).available < bytes {
        try ImageStore.sweepPulls(paths, keeping: 0, until: Clock.now + Staging.patience * 10)
      }
    }
  }

  /// What a failed pull leaves counts with what others have left. Whoever only waits for the directory has left nothing.
  deinit {
    guard lock != nil else { return }
    lock = nil
    bestEffort("sweep \(paths.pulls)") {
      try ImageStore.sweepPulls(paths, until: Clock.now + Staging.patience)
    }
  }
}
