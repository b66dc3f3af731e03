/// What the files of one stream may take, for who writes them and for who has to bound them beforehand.
///
/// A full file ends after a line, so it may have a little more than its limit; beside it lies its index; and one that
/// cannot be rotated grows on for a while, which is better than losing what comes.
package struct LogFileBounds: Sendable {
  /// What a file has room for at the least, however small its limit.
  package static let smallestFile: UInt64 = 4096
  /// A line may exceed the limit by this much before it is cut; of a small file by as much again as its limit.
  private static let largestSlack: UInt64 = 65536
  /// Every file's index may have this much, so that rare and short lines have their times.
  private static let largestAllowance: UInt64 = 65536
  /// What a file and its index may have beyond their bytes, in the last block of each.
  private static let blocks: UInt64 = 2 * 4096

  /// When a file is full.
  package let maximumBytes: UInt64

  package init(maximumBytes: UInt64) {
    // Room for the slack above it.
    self.maximumBytes = min(max(maximumBytes, LogFileBounds.smallestFile), UInt64(Int.max / 8))
  }

  package var slack: UInt64 { min(LogFileBounds.largestSlack, maximumBytes) }
  /// What a file may have at most, even if it cannot be rotated.
  package var bound: UInt64 { 2 * maximumBytes + slack }
  /// What an index may have beside a small file: not more than the file. It grows to half of a larger one at most.
  package var indexAllowance: UInt64 { min(LogFileBounds.largestAllowance, maximumBytes) }

  /// What a rotated file takes at most, with its index.
  package var mostOfFile: UInt64 { (maximumBytes + slack) / 2 * 3 + indexAllowance + LogFileBounds.blocks }

  /// What a stream with so many old files takes at most: one more that is written, and as much again in case that this
  /// one cannot be rotated.
  package func most(backups: UInt32) -> UInt64 {
    let (product, overflow) = mostOfFile.multipliedReportingOverflow(by: UInt64(backups) + 2)
    return overflow ? .max : product
  }

  /// The largest files with which a stream with so many old ones takes no more than `bytes`, as far as files may be small.
  package init(backups: UInt32, within bytes: UInt64) {
    let each = bytes / (UInt64(backups) + 2)
    // `mostOfFile` the other way round: of files that are as large as their slack, and of larger ones.
    let small = max(each, LogFileBounds.blocks) - LogFileBounds.blocks
    let edge = LogFileBounds.largestSlack
    self.init(maximumBytes: small <= 4 * edge ? small / 4 : edge + (small - 4 * edge) / 3 * 2)
  }
}
