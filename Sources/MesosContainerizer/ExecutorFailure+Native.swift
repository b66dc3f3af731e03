import Images
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

  package init(_ error: LaunchError) {
    let kind: Kind = error.isNameTaken ? .cannotCreate : error.isUnavailable ? .configuration : .failed
    self.init(kind, error.message, hint: error.hint)
  }
}
