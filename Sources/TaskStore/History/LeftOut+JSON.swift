import LaunchModel
import StrictJSON

extension [LeftOut] {
  /// For programs; `nil` when there is none.
  package var json: JSON? {
    isEmpty
      ? nil : JSON(map { JSON(object: [("isolator", JSON($0.isolator)), ("reason", JSON($0.reason))]) })
  }
}
