import Images
import Registry
import TaskStore

extension ExecutorFailure {
  /// An image that cannot be had is the image's fault; a host that cannot keep it is not.
  package init(_ error: ImageError) {
    let kind: Kind =
      switch error.kind {
      case .notFound: .notFound
      case .host, .exhausted: .cannotCreate
      default: .failed
      }
    self.init(kind, error.message, hint: error.hint.isEmpty ? nil : error.hint)
  }

  /// A registry that is not there says nothing about who asks it; what it refuses does.
  package init(_ error: RegistryError) {
    let kind: Kind =
      switch error.kind {
      case .notFound: .notFound
      case .unavailable: .unavailable
      case .configuration: .configuration
      case .interrupted: .stopped
      case .local: error.image.map { ExecutorFailure($0).kind } ?? .failed
      case .denied, .invalid: .failed
      }
    self.init(kind, error.message, hint: error.hint.isEmpty ? nil : error.hint)
  }

  package init(_ error: LaunchError) {
    let kind: Kind = error.isNameTaken ? .cannotCreate : error.isUnavailable ? .configuration : .failed
    self.init(kind, error.message, hint: error.hint)
  }
}
