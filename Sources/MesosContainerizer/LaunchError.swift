import Isolators
import LinuxKernel

/// A container that could not be started or taken down. Nothing of the task has run when a launch throws this, and
/// what had been made for it is removed.
package struct LaunchError: Error, Sendable, CustomStringConvertible {
  package let message: String
  package let hint: String?
  /// Something of the container's name was there already, and is somebody else's.
  package private(set) var isNameTaken = false
  /// The host, or the list of isolators, lacks what the task needs.
  package private(set) var isUnavailable = false
  package var description: String { message }

  package init(_ message: String, hint: String? = nil) {
    self.message = message
    self.hint = hint
  }

  package init(_ what: String, _ error: Errno, hint: String? = nil) {
    self.init("\(what): \(error)", hint: hint)
  }

  /// - Parameter holder: whose it is, where that is known.
  static func nameTaken(
    _ what: String, _ error: Errno, by holder: String? = nil,
    hint: String = "another task of this id lives, or was left behind; choose another --task-id"
  ) -> LaunchError {
    var taken = LaunchError("\(what): \(error)\(holder.map { ": " + $0 } ?? "")", hint: hint)
    taken.isNameTaken = true
    return taken
  }

  package init(_ error: IsolationError) {
    self.init(error.description, hint: error.hint)
    isUnavailable = error.isUnavailable
  }
}
