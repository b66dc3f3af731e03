import StrictJSON

/// Makes the typed container, and says what its members do not agree on.
struct ContainerBuilder {
  let isProvisional: Bool
  private(set) var diagnostics: [Diagnostic] = []

  init(isProvisional: Bool) { self.isProvisional = isProvisional }

  mutating func build(_ json: JSON) -> ContainerChoice {
    guard let (option, inner, isWrapped) = ContainerFields.choice.unwrap(json) else { return .mesos(MesosContainer()) }
    let path = isWrapped ? "container.\(option.key)" : "container"
    return option.record === DockerFields.record ? .docker(docker(inner)) : .mesos(mesos(inner, path: path))
  }

  private func docker(_ json: JSON) -> DockerContainer {
    DockerContainer(
      image: DockerFields.image.text(in: json) ?? "",
      parameters: DockerFields.parameters.list(in: json).map {
        .init(name: ParameterFields.name.text(in: $0) ?? "", value: ParameterFields.value.text(in: $0) ?? "")
      },
      network: DockerFields.network.text(in: json).flatMap { .init(rawValue: $0) },
      portMappings: DockerFields.portMappings.list(in: json).map {
        .init(
          hostPort: PortMappingFields.hostPort.int(in: $0) ?? 0,
          containerPort: PortMappingFields.containerPort.int(in: $0) ?? 0,
          transport: PortMappingFields.transport.text(in: $0) ?? "tcp")
      },
      privileged: DockerFields.privileged.flag(in: json), forcePullImage: DockerFields.forcePull.flag(in: json))
  }

  private mutating func mesos(_ json: JSON, path: String) -> MesosContainer {
    var container = MesosContainer()
    if let image = MesosFields.image.object(in: json) { container.image = self.image(image, path: path + ".image") }
    for (index, item) in MesosFields.volumes.list(in: json).enumerated() {
      if let volume = volume(item, path: "\(path).volumes[\(index)]") { container.volumes.append(volume) }
    }
    container.linuxInfo = MesosFields.linuxInfo.object(in: json).map { linux($0, path: path + ".linux_info") }
    if let info = MesosFields.rlimitInfo.object(in: json) {
      container.rlimits = rlimits(info, path: path + ".rlimit_info")
    }
    container.networkInfos = MesosFields.networkInfos.list(in: json).map { KeptJSON($0) }
    container.ttyInfo = MesosFields.ttyInfo.object(in: json).map { info in
      guard let size = TTYFields.windowSize.object(in: info) else { return TTYInfo() }
      return TTYInfo(rows: WindowFields.rows.int(in: size), columns: WindowFields.columns.int(in: size))
    }
    return container
  }

  private mutating func image(_ json: JSON, path: String) -> ImageSource? {
    guard let (option, inner, isWrapped) = ImageFields.choice.unwrap(json) else { return nil }
    let path = isWrapped ? "\(path).\(option.key)" : path
    if option.record === AppcFields.record {
      return .appc(name: AppcFields.name.text(in: inner) ?? "", imageID: AppcFields.imageID.text(in: inner) ?? "")
    }
    let name = DockerImageFields.name.text(in: inner) ?? ""
    let tag = DockerImageFields.tag.text(in: inner)
    let hasDigest = name.utf8.contains(UInt8(ascii: "@"))
    if hasDigest {
      if tag != nil {
        warn(
          DockerImageFields.tag.position(in: inner), path + ".tag",
          "the name carries a digest, which decides; the tag is ignored")
      }
      return .docker(name: name, tag: nil)
    }
    if tag == nil, DockerImageFields.name.text(in: inner) != nil, !mayChange(name) {
      let last = name.utf8.split(separator: UInt8(ascii: "/")).last ?? name.utf8[...]
      var hint = "a tag, or a digest in the name"
      if last.contains(UInt8(ascii: ":")) { hint = "the tag stands apart from the name" }
      report(.missing, inner.position, path, "\"tag\" is missing", hint: hint)
    }
    return .docker(name: name, tag: tag)
  }

  private mutating func volume(_ json: JSON, path: String) -> Volume? {
    let hostPath = VolumeFields.hostPath.text(in: json)
    let source = VolumeFields.source.object(in: json)
    guard (hostPath == nil) != (source == nil) else {
      let isOther = json["host_path"] != nil || json["source"] != nil
      if hostPath != nil || !isOther {
        report(.value, json.position, path, "needs either \"host_path\" or \"source\"")
      }
      return nil
    }
    var from: Volume.Source?
    if let hostPath {
      // Mesos takes a relative host_path for one below the sandbox.
      from = hostPath.utf8.first == UInt8(ascii: "/") ? .hostPath(hostPath) : .sandboxPath(hostPath)
    } else if let source {
      let host = VolumeSourceFields.hostPath.object(in: source).flatMap { HostPathFields.path.text(in: $0) }
      let sandbox = VolumeSourceFields.sandboxPath.object(in: source).flatMap { SandboxPathFields.path.text(in: $0) }
      switch (VolumeSourceFields.type.text(in: source), host, sandbox) {
      case ("HOST_PATH"?, let host?, nil): from = .hostPath(host)
      case ("SANDBOX_PATH"?, nil, let sandbox?):
        from = .sandboxPath(sandbox)
        if sandbox.utf8.first == UInt8(ascii: "/") {
          report(.value, source.position, path + ".source", "a path of the sandbox must be relative to it")
        }
      default:
        report(.value, source.position, path + ".source", "needs the one member that its type names")
      }
    }
    guard let from, let mode = VolumeFields.mode.text(in: json).flatMap({ Volume.Mode(rawValue: $0) }),
      let containerPath = VolumeFields.containerPath.text(in: json)
    else { return nil }
    return Volume(containerPath: containerPath, source: from, mode: mode)
  }

  private mutating func linux(_ json: JSON, path: String) -> LinuxInfo {
    var info = LinuxInfo()
    info.boundingCapabilities = LinuxFields.bounding.object(in: json).map {
      CapabilityFields.capabilities.strings(in: $0)
    }
    let effective = LinuxFields.effective.object(in: json)
    let old = LinuxFields.capabilityInfo.object(in: json)
    if effective != nil, let old {
      report(.value, old.position, path, "has both \"effective_capabilities\" and its old name, \"capability_info\"")
    }
    info.effectiveCapabilities = (effective ?? old).map { CapabilityFields.capabilities.strings(in: $0) }
    if let bounding = info.boundingCapabilities, let wanted = info.effectiveCapabilities {
      let outside = wanted.filter { !bounding.contains($0) }
      if !outside.isEmpty {
        report(
          .value, json.position, path,
          "effective capabilities outside of the bounding ones: \(outside.joined(separator: ", "))")
      }
    }
    info.sharePIDNamespace = LinuxFields.sharePID.flag(in: json)
    info.ipcMode = LinuxFields.ipcMode.text(in: json).flatMap { .init(rawValue: $0) }
    info.shmSizeBytes = LinuxFields.shmSize.integer(in: json).flatMap { size in
      let (bytes, overflow) = size.multipliedReportingOverflow(by: 1 << 20)
      return overflow ? nil : bytes
    }
    if info.shmSizeBytes != nil, info.ipcMode != .private {
      report(.value, LinuxFields.shmSize.position(in: json), path + ".shm_size", "needs \"ipc_mode\": \"PRIVATE\"")
    }
    if let seccomp = LinuxFields.seccomp.object(in: json) {
      info.seccomp = self.seccomp(seccomp, path: path + ".seccomp")
    }
    return info
  }

  private mutating func seccomp(_ json: JSON, path: String) -> LinuxInfo.Seccomp? {
    let isUnconfined = SeccompFields.unconfined.flag(in: json)
    guard let profile = SeccompFields.profileName.text(in: json) else {
      if isUnconfined { return .unconfined }
      report(.value, json.position, path, "needs \"profile_name\" or \"unconfined\": true")
      return nil
    }
    if isUnconfined {
      report(.value, json.position, path, "\"unconfined\" and \"profile_name\" exclude each other")
    }
    let isPath = TextRule.absolutePath.problem(with: Array(profile.utf8)) == nil
    if !isPath, !profile.utf8.elementsEqual("default".utf8), !mayChange(profile) {
      report(
        .value, SeccompFields.profileName.position(in: json), path + ".profile_name",
        "\(profile.quotedForMessage) is neither \"default\" nor an absolute path")
    }
    return .profile(profile)
  }

  private mutating func rlimits(_ json: JSON, path: String) -> [RlimitEntry] {
    var entries: [RlimitEntry] = []
    var seen: Set<String> = []
    for (index, item) in RlimitInfoFields.rlimits.list(in: json).enumerated() {
      guard let type = RlimitFields.type.text(in: item) else { continue }
      let itemPath = "\(path).rlimits[\(index)]"
      let hard = RlimitFields.hard.integer(in: item).flatMap { UInt64(exactly: $0) }
      let soft = RlimitFields.soft.integer(in: item).flatMap { UInt64(exactly: $0) }
      if (item["hard"] == nil) != (item["soft"] == nil) {
        report(.value, item.position, itemPath, "needs both \"hard\" and \"soft\", or neither for no limit")
      }
      if let hard, let soft, soft > hard {
        report(.value, item.position, itemPath, "the soft limit, \(soft), is above the hard one, \(hard)")
      }
      if !seen.insert(type).inserted { report(.value, item.position, itemPath, "a second limit of \(type)") }
      entries.append(RlimitEntry(type: type, hard: hard, soft: soft))
    }
    return entries
  }

  /// Whether references that are not bound yet leave open what the text will be.
  private func mayChange(_ text: String) -> Bool { isProvisional && Template.mayHoldReference(text) }

  private mutating func report(
    _ kind: Diagnostic.Kind, _ position: JSON.Position, _ path: String, _ message: String, hint: String? = nil
  ) {
    guard diagnostics.count < DocumentChecker.limit else { return }
    diagnostics.append(Diagnostic(kind, at: position, path: path, message, hint: hint))
  }

  private mutating func warn(_ position: JSON.Position, _ path: String, _ message: String) {
    diagnostics.append(Diagnostic(.advice, severity: .warning, at: position, path: path, message))
  }
}
