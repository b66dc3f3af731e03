import Glibc
import Images
import LinuxKernel
import OperatorPolicy
import TaskStore

/// The file with the policy: found, opened so that nobody but root has a say in what is read, and decoded.
enum PolicyFile {
  static let standard = "/etc/aurora-executor/policy.json"
  private static let limit = 1 << 20

  /// The policy of `--policy`, else of the usual file where that is there; `nil`: whoever invokes the executor is the
  /// operator.
  static func find(_ given: String?) throws(ExecutorFailure) -> Policy? {
    guard let path = given ?? (isMissing(standard) ? nil : standard) else { return nil }
    let absolute = try absolutePath(path)
    let bytes = try read(absolute)
    let (policy, faults) = Policy.decode(bytes)
    guard var policy else {
      for fault in faults { Console.note("\(printable(absolute.utf8)):\(fault)") }
      throw ExecutorFailure(
        .configuration,
        "\(printable(absolute.utf8)) is not a valid policy: \(faults.count) error\(faults.count == 1 ? "" : "s")",
        hint: "`aurora-executor schema policy` prints what it may hold")
    }
    policy.digest = Digest.sha256(of: bytes).description
    policy.file = absolute
    return policy
  }

  /// Only what is surely not there is missing; whatever else is in the way is said when it is opened.
  private static func isMissing(_ path: String) -> Bool {
    do throws(Errno) {
      _ = try status(of: path)
      return false
    } catch {
      return error.code == ENOENT
    }
  }

  private static func absolutePath(_ path: String) throws(ExecutorFailure) -> String {
    guard path.utf8.first != UInt8(ascii: "/") else { return path.cleanedAbsolutePath }
    let here: [UInt8]
    do throws(Errno) { here = try realPath(".") } catch {
      throw ExecutorFailure(.configuration, "cannot find the policy \(printable(path.utf8)): \(error)")
    }
    guard let text = String(validating: here, as: UTF8.self) else {
      throw ExecutorFailure(.usage, "--policy \(printable(path.utf8)): an absolute path is needed here")
    }
    return "\(text)/\(path)".cleanedAbsolutePath
  }

  /// Walks from the root, directory by directory: each must be root's alone, for who can rename in one of them chooses the
  /// policy. No link is followed, for the same would have to hold for what it leads through.
  private static func read(_ path: String) throws(ExecutorFailure) -> [UInt8] {
    let shown = printable(path.utf8)
    func refuse(_ what: String, _ hint: String? = nil) -> ExecutorFailure {
      ExecutorFailure(.configuration, "the policy \(shown) cannot be trusted: \(what)", hint: hint)
    }
    func check(_ descriptor: Int32, _ name: String) throws {
      let about = try status(of: descriptor)
      guard about.uid == 0 else {
        throw refuse("\(name) belongs to uid \(about.uid), not to root", "`chown root` it, and look at what it holds")
      }
      guard about.permissions & 0o022 == 0 else {
        throw refuse("\(name) can be written by others than root", "`chmod go-w` it, and look at what it holds")
      }
    }
    let components = Array(path.utf8).pathComponents
    guard let last = components.last else { throw refuse("it is a directory") }
    var place = "/"
    do {
      var directory = SharedDescriptor(try openFile("/", O_PATH | O_DIRECTORY))
      try check(directory.rawValue, place)
      for component in components.dropLast() {
        place += (place == "/" ? "" : "/") + printable(component)
        let next = SharedDescriptor(try openFile(component, O_PATH | O_NOFOLLOW, at: directory.rawValue))
        let about = try status(of: next.rawValue)
        if about.isSymbolicLink { throw Errno("open", code: ELOOP) }
        guard about.isDirectory else { throw Errno("open", code: ENOTDIR) }
        try check(next.rawValue, place)
        directory = next
      }
      place = shown
      let file = try openFile(last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, at: directory.rawValue)
      guard try status(of: file.rawValue).isRegularFile else { throw refuse("it is no regular file") }
      try check(file.rawValue, place)
      return try file.readToEnd(limit: limit)
    } catch let failure as ExecutorFailure {
      throw failure
    } catch let error as Errno {
      switch error.code {
      case ELOOP: throw refuse("\(place) is a link", "name the file by the path that has none")
      case EFBIG: throw refuse("it is larger than 1 MiB")
      case ENXIO: throw refuse("it is no regular file")
      default: throw ExecutorFailure(.configuration, "cannot read the policy \(shown): \(place): \(error)")
      }
    } catch {
      throw ExecutorFailure(.internalError, "cannot read the policy \(shown): \(error)")
    }
  }
}
