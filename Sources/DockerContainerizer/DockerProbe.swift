import DockerEngineClient
import LaunchModel
import LinuxKernel
import TaskStore

/// Looks into a task's image by way of a container that is never started, so that nothing in it can move meanwhile.
struct DockerProbe {
  let engine: DockerEngine
  let creation: DockerCreation
  let owner: DockerOwnership
  let request: DockerRequest
  let image: ImageDetails
  let workDirectory: String
  /// Ends the wait for the engine.
  let signals: SharedDescriptor

  /// The role user for a root that cannot be written to.
  func accountFiles(
    for identity: Identity, in directory: String
  ) throws(ExecutorFailure) -> [(target: String, source: String)] {
    try look { (id) throws(ExecutorFailure) in
      try DockerAccounts(engine: engine, identity: identity, directory: directory).make(in: id)
    }
  }

  /// What the engine does itself when it starts a container reaches nothing of the host: it makes nothing in what the container
  /// has of it, and opens ordinary files only. What is mounted where it says best, when it has made the container and before it
  /// starts it.
  ///
  /// - Parameters:
  ///   - create: what the engine was asked for.
  ///   - own: what of that is the executor's.
  func checkStart(
    of id: ContainerID, _ create: ContainerCreateRequest, own: [MountSpec]
  ) throws(ExecutorFailure) {
    let config = create.hostConfig
    let found = try atEngine { () throws(DockerEngineError) in try engine.inspectContainer(id).mounts }
    let points = try DockerMountPoints(
      found, create, own: own, sandbox: request.settings.sandboxMountPoint,
      writablePaths: request.settings.policy?.writablePaths ?? [])
    func check(_ container: ContainerID) throws(ExecutorFailure) {
      let links = DockerImageLinks(engine, container)
      try points.check { (path) throws(ExecutorFailure) in try links.link(path) }
      for path in DockerImageFile.readAtStart { _ = try DockerImageFile(path, in: container, at: engine) }
    }
    // To look into a container the engine mounts in it what it will have. With nothing but what is ours it can be this one.
    if found.count <= own.count, config.tmpfs.isEmpty, config.devices.isEmpty {
      try check(id)
    } else {
      try look(check)
    }
  }

  /// A container for one look. Where that fails it is for `abandon` to remove.
  private func look<Found>(_ body: (ContainerID) throws(ExecutorFailure) -> Found) throws(ExecutorFailure) -> Found {
    let create = request.probe(owner.taskID, image: image, nonce: owner.nonce, workDirectory: workDirectory)
    // Named, so that one which comes late cannot stand beside another.
    let id = try creation.create(
      create, name: DockerOwnership.probeName(owner.taskID), for: owner, until: signals
    ).id
    let found = try body(id)
    try atEngine { () throws(DockerEngineError) in try engine.removeContainer(id, force: true, volumes: true) }
    return found
  }
}
