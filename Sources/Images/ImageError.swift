import Glibc
import LinuxKernel

/// Why something about an image could not be done, in words for people and a kind for code.
package struct ImageError: Error, Sendable, CustomStringConvertible {
  /// What callers branch on.
  package enum Kind: Sendable, Equatable {
    /// There is no such image, file or blob.
    case notFound
    /// The image, archive or reference is corrupt, hostile, unsupported, or beyond a budget.
    case invalid
    /// A container uses the image, or another import holds it.
    case inUse
    /// This host refused a system call.
    case host(Errno)
    /// This host has no room left: disk space, a quota, memory.
    case exhausted
  }

  package let kind: Kind
  /// What was being done: `import /srv/debian.tar`. Empty until somebody who knows says so (`during`).
  package private(set) var what: String
  /// Where it happened, outermost first: `layer sha256:…`, `entry usr/bin/x`.
  package private(set) var places: [String]
  package let why: String
  /// What the reader can do about it; empty where we know nothing helpful.
  package private(set) var hint: String

  package init(_ kind: Kind, what: String = "", places: [String] = [], why: String, hint: String = "") {
    self.kind = kind
    self.what = what
    self.places = places
    self.why = why
    self.hint = hint
  }

  /// A failed system call. No room is told apart from other failures, because callers treat it differently.
  package init(_ error: Errno, doing: String, hint: String = "") {
    let noRoom = error.code == ENOSPC || error.code == EDQUOT || error.code == ENOMEM
    self.init(
      noRoom ? .exhausted : .host(error), why: "\(doing): \(error)",
      hint: noRoom && hint.isEmpty ? "make room, or name another --work-dir" : hint)
  }

  static func invalid(_ why: String, hint: String = "") -> ImageError { ImageError(.invalid, why: why, hint: hint) }

  /// The same error with one more place around it.
  package func at(_ place: String) -> ImageError {
    var copy = self
    copy.places.insert(place, at: 0)
    return copy
  }

  /// The same error, said to have happened while doing `what`; an inner statement stays.
  package func during(_ what: String) -> ImageError {
    var copy = self
    if copy.what.isEmpty { copy.what = what }
    return copy
  }

  /// The same error with a hint, unless it has one.
  func hinting(_ hint: String) -> ImageError {
    var copy = self
    if copy.hint.isEmpty { copy.hint = hint }
    return copy
  }

  /// What, where and why, without the hint.
  package var message: String { ([what] + places + [why]).filter { !$0.isEmpty }.joined(separator: ": ") }

  package var description: String { hint.isEmpty ? message : "\(message) (\(hint))" }
}

/// Runs kernel calls and says what they were for when one fails.
func kernel<T: ~Copyable>(_ doing: @autoclosure () -> String, _ body: () throws(Errno) -> T) throws(ImageError) -> T {
  do throws(Errno) { return try body() } catch { throw ImageError(error, doing: doing()) }
}

/// The same for what may be missing: that is another error than a host which refuses.
func kernel<T: ~Copyable>(_ doing: @autoclosure () -> String, missing: ImageError, _ body: () throws(Errno) -> T)
  throws(ImageError) -> T
{
  do throws(Errno) { return try body() } catch {
    throw error.code == ENOENT || error.code == ENOTDIR ? missing : ImageError(error, doing: doing())
  }
}
