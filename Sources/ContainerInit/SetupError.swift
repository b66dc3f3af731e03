import LinuxKernel

/// A step of the set-up that failed: the launch ends, nothing of the task has run.
package struct SetupError: Error {
  package let message: String
  package let hint: String

  init(_ message: String, hint: String = "") {
    self.message = message
    self.hint = hint
  }

  init(_ what: String, _ error: Errno, hint: String = "") {
    self.init("\(what): \(error.call): \(error.explanation)", hint: hint)
  }
}
