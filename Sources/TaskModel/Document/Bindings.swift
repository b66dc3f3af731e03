/// What the templates of a document are bound to, as far as the document does not say it itself.
package struct Bindings: Sendable {
  /// `{{docker.image[NAME][TAG]}}` and what it stands for, as `NAME@sha256:…`.
  package struct DockerImage: Sendable, Equatable {
    package var name: String
    package var tag: String
    package var value: String

    package init(name: String, tag: String, value: String) {
      self.name = name
      self.tag = tag
      self.value = value
    }
  }

  package var taskID: String
  /// Overrides the document's role.
  package var role: String?
  /// Overrides the document's instance; 0 when neither says.
  package var instance: Int64?
  package var hostname: String
  /// Override the document's.
  package var cluster: String?
  package var environment: String?
  /// Numbers of ports by their names.
  package var ports: [String: Int]
  /// `--bind KEY=VALUE`, in the order given; the last of equal keys counts.
  package var custom: [(String, String)]
  package var dockerImages: [DockerImage]

  package init(
    taskID: String, role: String? = nil, instance: Int64? = nil, hostname: String, cluster: String? = nil,
    environment: String? = nil, ports: [String: Int] = [:], custom: [(String, String)] = [],
    dockerImages: [DockerImage] = []
  ) {
    self.taskID = taskID
    self.role = role
    self.instance = instance
    self.hostname = hostname
    self.cluster = cluster
    self.environment = environment
    self.ports = ports
    self.custom = custom
    self.dockerImages = dockerImages
  }
}
