/// An image as a result names it.
package struct ProvisionedImage: Sendable, Equatable {
  package var reference: String
  /// Of the manifest where the source has one, else of the configuration.
  package var digest: String
  /// Of the configuration, or whatever the engine calls it by.
  package var id: String

  package init(reference: String, digest: String, id: String) {
    self.reference = reference
    self.digest = digest
    self.id = id
  }
}
