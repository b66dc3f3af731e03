import StrictJSON

/// Makes the typed container, and says what its members do not agree on.
struct ContainerBuilder {
  let isProvisional: Bool
  private(set) var diagnostics: [Diagnostic] = []

  init(isProvisional: Bool) { self.isProvisional = isProvisional }

  mutating func build(_ json: JSON) -> ContainerChoice {
    guard let (option, inner, isWrapped) = ContainerFields.choice.unwrap(json) else { return .mesos(MesosContainer()) }
    let path = isWrapped ? "container.\(option.key)" : "container"
    return option.record === DockerFields.table.record
      ? .docker(DockerFields.table.value(of: inner)) : .mesos(mesos(inner, path: path))
  }

  private mutating func mesos(_ json: JSON, path: String) -> MesosContainer {
    var container = MesosFields.table.value(of: json)
    if let image = MesosFields.image.object(in: json) { container.image = self.image(image, path: path + ".image") }
    for (index, item) in MesosFields.volumes.list(in: json).enumerated() {
      if let volume = volume(item, path: "\(path).volumes[\(index)]") { container.volumes.append(volume) }
    }
    container.linuxInfo = MesosFields.linuxInfo.object(in: json).map { linux($0, path: path + ".linux_info") }
    if let info = MesosFields.rlimitInfo.object(in: json) {
      container.rlimits = rlimits(info, path: path + ".rlimit_info")
    }
    return container
  }

  private mutating func image(_ json: JSON, path: String) -> ImageSource? {
    guard let (option, inner, isWrapped) = ImageFields.choice.unwrap(json) else { return nil }
    let path = isWrapped ? "\(path).\(option.key)" : path
    if option.record === AppcFields.record {
      var labels: [String: String] = [:]
      for member in AppcFields.labels.object(in: inner)?.members ?? [] {
        labels[member.key] = member.value.string ?? ""
      }
      return .appc(
        name: AppcFields.name.text(in: inner) ?? "", imageID: AppcFields.imageID.text(in: inner), labels: labels)
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
    var info = LinuxFields.table.value(of: json)
    let (name, formerName) = (LinuxFields.effective, LinuxFields.formerEffective)
    if json[name]?.members != nil, let former = json[formerName], former.members != nil {
      report(.value, former.position, path, "has both \"\(name)\" and its old name, \"\(formerName)\"")
    }
    if let bounding = info.boundingCapabilities, let wanted = info.effectiveCapabilities {
      let outside = wanted.filter { !bounding.contains($0) }
      if !outside.isEmpty {
        report(
          .value, json.position, path,
          "effective capabilities outside of the bounding ones: \(outside.joined(separator: ", "))")
      }
    }
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
      // One without a type was reported.
      guard item["type"]?.string != nil else { continue }
      let entry = RlimitFields.table.value(of: item)
      let itemPath = "\(path).rlimits[\(index)]"
      if (item["hard"] == nil) != (item["soft"] == nil) {
        report(.value, item.position, itemPath, "needs both \"hard\" and \"soft\", or neither for no limit")
      }
      if let hard = entry.hard, let soft = entry.soft, soft > hard {
        report(.value, item.position, itemPath, "the soft limit, \(soft), is above the hard one, \(hard)")
      }
      if !seen.insert(entry.type).inserted {
        report(.value, item.position, itemPath, "a second limit of \(entry.type)")
      }
      entries.append(entry)
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
