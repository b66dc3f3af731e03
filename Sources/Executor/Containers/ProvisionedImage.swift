/// An image as a result names it.
struct ProvisionedImage: Equatable {
  var reference: String
  /// Of the manifest where the source has one, else of the configuration.
  var digest: String
  /// Of the configuration, or whatever the engine calls it by.
  var id: String
}
