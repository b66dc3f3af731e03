import LinuxKernel

/// What completing an image's layers may cost: layers of a few kilobytes can leave millions of names open, each of which is looked
/// for in every layer below.
final class StackEffort {
  let interruption: Int32?
  private let most: Int
  private var steps = 0

  private var looked = Clock.now

  /// Of a path for another step: some ten names.
  private static let pathBytes = 64

  /// Between two looks whether to go on.
  private static let nanoseconds: UInt64 = 50_000_000

  /// - Parameter most: how many directories may be opened, and names made: some microseconds each.
  init(interruption: Int32?, most: Int = 2_000_000) {
    self.interruption = interruption
    self.most = most
  }

  /// Counts one, and more for a long path, each name of which is looked up; throws when it is one too many, or when
  /// `interruption` can be read.
  func step(_ path: [UInt8] = []) throws(ImageError) {
    steps += 1 + path.count / StackEffort.pathBytes
    guard steps <= most else {
      throw .invalid("its layers leave so many directories to one another that \(most) steps do not settle it")
    }
    let now = Clock.now
    guard now - looked >= StackEffort.nanoseconds else { return }
    looked = now
    try WorkerWait.wait([], interruption, milliseconds: 0)
  }
}
