import Images
import LinuxKernel

/// Why something could not be had of a registry, in words for people and a kind for code. It never holds a credential.
package struct RegistryError: Error, Sendable, CustomStringConvertible {
  /// What callers branch on.
  package enum Kind: Sendable, Equatable {
    /// The registry has nothing of that name (404).
    case notFound
    /// The registry does not let us have it (401, 403), or wants credentials that cannot be had.
    case denied
    /// The registry cannot be reached, or cannot serve now: later it may.
    case unavailable
    /// What came is not what was asked for, is hostile, or is of a kind that is not supported.
    case invalid
    /// Something that this host or the command line lacks.
    case configuration
    /// The caller's `interruption` became readable.
    case interrupted
    /// The store or this host, see `image`.
    case local
  }

  package let kind: Kind
  /// What was being done: `pull debian:bookworm`; empty until somebody who knows says so.
  package private(set) var what: String
  /// Where, outermost first: the registry and repository, then what was asked for.
  package private(set) var places: [String]
  package let why: String
  /// What the reader can do about it; empty where nothing helps.
  package private(set) var hint: String
  /// For `.local`: what the store says.
  package let image: ImageError?
  /// Whether the same request may succeed when it is made again soon.
  private(set) var mayPass: Bool
  /// The seconds that the registry asks us to wait before that.
  let retryAfter: UInt64?
  /// What of it decides how it is gone on.
  let trait: Trait?

  enum Trait: Sendable {
    /// The transfer failed while TLS was begun: whoever listens may speak plain HTTP.
    case noTLS
    /// No connection was made: who has never answered is not there.
    case unreachable
  }

  init(
    _ kind: Kind, places: [String] = [], why: String, hint: String = "", mayPass: Bool = false,
    retryAfter: UInt64? = nil, trait: Trait? = nil
  ) {
    self.kind = kind
    what = ""
    self.places = places
    self.why = why
    self.hint = hint
    image = nil
    self.mayPass = mayPass
    self.retryAfter = retryAfter
    self.trait = trait
  }

  /// Something of the store's.
  package init(_ error: ImageError) {
    var isInterrupted = false
    if case .host(let errno) = error.kind, errno.isInterruption { isInterrupted = true }
    kind = isInterrupted ? .interrupted : .local
    what = ""
    places = error.places
    why = error.why
    hint = error.hint
    image = error
    mayPass = false
    retryAfter = nil
    trait = nil
  }

  /// A system call that failed.
  init(_ error: Errno, doing: String) { self.init(ImageError(error, doing: doing)) }

  static func invalid(_ why: String, hint: String = "") -> RegistryError {
    RegistryError(.invalid, why: why, hint: hint)
  }

  /// The same error with one more place around it.
  package func at(_ place: String) -> RegistryError {
    var copy = self
    copy.places.insert(place, at: 0)
    return copy
  }

  /// The same error, said to have happened while doing `what`; an inner statement stays.
  package func during(_ what: String) -> RegistryError {
    var copy = self
    if copy.what.isEmpty { copy.what = what }
    return copy
  }

  /// The same words, of another error's kind, for which they were said.
  func keeping(kindOf cause: RegistryError) -> RegistryError {
    guard cause.image == nil else { return self }
    var copy = RegistryError(cause.kind, places: places, why: why, hint: hint)
    copy.what = what
    return copy
  }

  /// The same error, after which the same request is not made again.
  var final: RegistryError {
    var copy = self
    copy.mayPass = false
    return copy
  }

  /// The same error with a hint, unless it has one.
  func hinting(_ hint: String) -> RegistryError {
    var copy = self
    if copy.hint.isEmpty { copy.hint = hint }
    return copy
  }

  /// What, where and why, without the hint.
  package var message: String { ([what] + places + [why]).filter { !$0.isEmpty }.joined(separator: ": ") }

  package var description: String { hint.isEmpty ? message : "\(message) (\(hint))" }
}

extension Errno {
  /// What the store says of a wait that was ended from outside.
  fileprivate var isInterruption: Bool { name.utf8.elementsEqual("EINTR".utf8) }
}

/// Runs kernel calls and says what they were for when one fails.
func kernel<T: ~Copyable>(_ doing: @autoclosure () -> String, _ body: () throws(Errno) -> T) throws(RegistryError) -> T
{
  do throws(Errno) { return try body() } catch { throw RegistryError(error, doing: doing()) }
}

/// Runs something of the store's.
func store<T: ~Copyable>(_ body: () throws(ImageError) -> T) throws(RegistryError) -> T {
  do throws(ImageError) { return try body() } catch { throw RegistryError(error) }
}
