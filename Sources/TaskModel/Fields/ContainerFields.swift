import StrictJSON

/// `container`: Aurora's `Container`, `Mesos` and `Docker`, and Mesos' names for what Aurora has no field for.
enum ContainerFields {
  static let choice = Variants(
    name: "Container",
    options: [.init(key: "mesos", record: MesosFields.record), .init(key: "docker", record: DockerFields.record)],
    plain: { json in
      // Docker's image is a string, Mesos' an object.
      if json["image"]?.string != nil { return 1 }
      let dockerOnly = ["parameters", "network", "port_mappings", "privileged", "force_pull_image"]
      return dockerOnly.contains { json[$0] != nil } ? 1 : 0
    })
}

enum MesosFields {
  static let image = Field("image", .variants(ImageFields.choice), "Absent: the host's own file system.")
  static let volumes = Field("volumes", .list(.record(VolumeFields.record)), standard: [], "What is mounted.")
  static let linuxInfo = Field("linux_info", .record(LinuxFields.record), "Mesos' LinuxInfo.")
  static let rlimitInfo = Field("rlimit_info", .record(RlimitInfoFields.record), "Mesos' RLimitInfo.")
  static let networkInfos = Field("network_infos", .list(.map(.kept)), standard: [], "Mesos' NetworkInfos.")
  static let ttyInfo = Field("tty_info", .record(TTYFields.record), "Mesos' TTYInfo.")

  static let record = RecordType(
    "Mesos", "A container of the native containerizer.",
    [image, volumes, linuxInfo, rlimitInfo, networkInfos, ttyInfo])
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
  static let imageID = Field("image_id", .text(.imageReference), required: true, "Its id, `sha512-…`.")

  static let record = RecordType("AppcImage", "An AppC image.", [name, imageID])
}

enum VolumeFields {
  static let containerPath = Field("container_path", .text(.path), required: true, "Where it is seen inside.")
  static let hostPath = Field("host_path", .text(.path), "The path on the host; relative: below the sandbox.")
  static let mode = Field("mode", .choice(["RO", "RW"]), required: true, "Read-only, or read and write.")
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
  static let image = Field("image", .text(.imageReference), required: true, "The image, as `docker run` takes it.")
  static let parameters = Field(
    "parameters", .list(.record(ParameterFields.record)), standard: [], "Long options of `docker run`.")
  static let network = Field(
    "network", .choice(["HOST", "BRIDGE", "NONE", "USER"]), "The network; by default the host's.")
  static let portMappings = Field(
    "port_mappings", .list(.record(PortMappingFields.record)), standard: [], "Ports of the host that lead inside.")
  static let privileged = Field("privileged", .flag, standard: false, "Every capability and device.")
  static let forcePull = Field("force_pull_image", .flag, standard: false, "Pull also what is there already.")

  static let record = RecordType(
    "Docker", "A container of the Docker engine.",
    [image, parameters, network, portMappings, privileged, forcePull])
}

enum ParameterFields {
  static let name = Field("name", .text(.line), required: true, "The option without its dashes.")
  static let value = Field("value", .text(.any), required: true, "Its value.")
  static let record = RecordType("Parameter", "An option of `docker run`.", [name, value])
}

enum PortMappingFields {
  static let hostPort = Field("host_port", .port, required: true, "The port of the host.")
  static let containerPort = Field("container_port", .port, required: true, "The port inside.")
  static let transport = Field("protocol", .choice(["tcp", "udp", "sctp"]), standard: "tcp", "The protocol.")
  static let record = RecordType(
    "PortMapping", "A port of the host that leads inside.",
    [
      hostPort, containerPort, transport,
    ])
}
