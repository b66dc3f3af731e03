import StrictJSON

/// `container`: Aurora's `Container`, `Mesos` and `Docker`, and Mesos' names for what Aurora has no field for.
enum ContainerFields {
  static let choice = Variants(
    name: "Container",
    options: [
      .init(key: "mesos", record: MesosFields.table.record), .init(key: "docker", record: DockerFields.table.record),
    ],
    plain: { json in
      // Docker's image is a string, Mesos' an object.
      if json["image"]?.string != nil { return 1 }
      return dockerOnly.contains { json[$0] != nil } ? 1 : 0
    })

  private static let dockerOnly =
    DockerFields.table.record.fields.map(\.name).filter { MesosFields.table.record[$0] == nil }
}

enum MesosFields {
  static let image = Field("image", .variants(ImageFields.choice), "Absent: the host's own file system.")
  static let volumes = Field("volumes", .list(.record(VolumeFields.record)), standard: [], "What is mounted.")
  static let linuxInfo = Field("linux_info", .record(LinuxFields.table.record), "Mesos' LinuxInfo.")
  static let rlimitInfo = Field("rlimit_info", .record(RlimitInfoFields.record), "Mesos' RLimitInfo.")

  static let table = RecordTable<MesosContainer>(
    "Mesos", "A container of the native containerizer.",
    [
      .other(image), .other(volumes), .other(linuxInfo), .other(rlimitInfo),
      Row("network_infos", .list(.map(.kept)), \.networkInfos, "Mesos' NetworkInfos."),
      Row("tty_info", TTYFields.table, \.ttyInfo, "Mesos' TTYInfo."),
    ])
}

extension MesosContainer: RecordValue {
  static let standard = MesosContainer()
}

enum ImageFields {
  static let choice = Variants(
    name: "Image",
    options: [.init(key: "docker", record: DockerImageFields.record), .init(key: "appc", record: AppcFields.record)],
    plain: { $0["image_id"] != nil ? 1 : 0 })
}

enum DockerImageFields {
  static let name = Field(
    "name", .text(.imageReference), required: true, "The repository, with its registry, or with a digest.")
  static let tag = Field("tag", .text(.imageReference), "Required unless the name carries a digest.")

  static let record = RecordType("DockerImage", "An image as Docker names it.", [name, tag])
}

enum AppcFields {
  static let name = Field("name", .text(.imageReference), required: true, "The image's name.")
  static let imageID = Field(
    "image_id", .text(.imageReference), "Its id, `sha512-…`, the hash of its tar; another image is refused.")
  static let labels = Field(
    "labels", .map(.text(.line)), "Labels that it must have without an id, `version` for example.")

  static let record = RecordType("AppcImage", "An AppC image.", [name, imageID, labels])
}

enum VolumeFields {
  static let containerPath = Field("container_path", .text(.path), required: true, "Where it is seen inside.")
  static let hostPath = Field("host_path", .text(.path), "The path on the host; relative: below the sandbox.")
  static let mode = Field("mode", .choice(of: Volume.Mode.self), required: true, "Read-only, or read and write.")
  static let source = Field(
    "source", .record(VolumeSourceFields.record), "Mesos' Volume.Source, instead of `host_path`.")

  static let record = RecordType(
    "Volume", "Something mounted into the container.",
    [
      containerPath, hostPath, mode, source,
    ])
}

enum VolumeSourceFields {
  static let type = Field("type", .choice(["HOST_PATH", "SANDBOX_PATH"]), required: true, "Which of the two it is.")
  static let hostPath = Field("host_path", .record(HostPathFields.record), "A path of the host.")
  static let sandboxPath = Field("sandbox_path", .record(SandboxPathFields.record), "A path of the sandbox.")

  static let record = RecordType("VolumeSource", "Mesos' Volume.Source.", [type, hostPath, sandboxPath])
}

enum HostPathFields {
  static let path = Field("path", .text(.absolutePath), required: true, "The path on the host.")
  static let record = RecordType("HostPath", "A path of the host.", [path])
}

enum SandboxPathFields {
  static let type = Field("type", .choice(["SELF"]), standard: "SELF", "Whose sandbox; a task has no parent.")
  static let path = Field("path", .text(.path), required: true, "The path below the sandbox, made when absent.")
  static let record = RecordType("SandboxPath", "A path of the sandbox.", [type, path])
}

enum DockerFields {
  static let parameters = "parameters"

  static let table = RecordTable<DockerContainer>(
    "Docker", "A container of the Docker engine.",
    [
      Row("image", .text(.imageReference), required: true, \.image, "The image, as `docker run` takes it."),
      Row(parameters, listOf: ParameterFields.table, \.parameters, "Long options of `docker run`."),
      Row("network", .choice(of: DockerContainer.Network.self), \.network, "The network; by default the host's."),
      Row("port_mappings", listOf: PortMappingFields.table, \.portMappings, "Ports of the host that lead inside."),
      Row("privileged", .flag, \.privileged, "Every capability and device."),
      Row("force_pull_image", .flag, \.forcePullImage, "Pull also what is there already."),
    ])
}

extension DockerContainer: RecordValue {
  static let standard = DockerContainer(image: "")
}
extension DockerContainer.Network: FieldValue {}

enum ParameterFields {
  static let table = RecordTable<DockerContainer.Parameter>(
    "Parameter", "An option of `docker run`.",
    [
      Row("name", .text(.line), required: true, \.name, "The option without its dashes."),
      Row("value", .text(.any), required: true, \.value, "Its value."),
    ])
}

extension DockerContainer.Parameter: RecordValue {
  static let standard = DockerContainer.Parameter(name: "", value: "")
}

enum PortMappingFields {
  static let table = RecordTable<DockerContainer.PortMapping>(
    "PortMapping", "A port of the host that leads inside.",
    [
      Row("host_port", .port, required: true, \.hostPort, "The port of the host."),
      Row("container_port", .port, required: true, \.containerPort, "The port inside."),
      Row("protocol", .choice(["tcp", "udp", "sctp"]), \.transport, "The protocol."),
    ])
}

extension DockerContainer.PortMapping: RecordValue {
  static let standard = DockerContainer.PortMapping(hostPort: 0, containerPort: 0)
}
