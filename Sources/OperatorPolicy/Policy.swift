import Images
import LinuxKernel
import StrictJSON
import TaskModel

/// What one operator lets tasks have of this host.
package struct Policy: Equatable {
  /// One entry of the file, and where it stands.
  package struct Rule: Equatable {
    /// `host_paths[0]`.
    package let name: String
    package let position: JSON.Position

    package init(name: String, position: JSON.Position) {
      self.name = name
      self.position = position
    }
  }

  /// An entry that is a word.
  package struct Word: Equatable {
    package let text: String
    package let rule: Rule

    package func has(_ other: String) -> Bool { text.utf8.elementsEqual(other.utf8) }
  }

  /// An entry of `host_paths`.
  package struct HostPath: Equatable {
    package let path: String
    package let isWritable: Bool
    package let rule: Rule
  }

  /// An entry of `ceilings`.
  package struct Limit: Equatable {
    package let most: Int64
    let rule: Rule
  }

  /// Where it was read.
  package var file = ""
  /// Of its content: `sha256:…`.
  package var digest = ""
  /// `nil`: every account but uid 0.
  var allowedRoles: [Word]?
  var deniedRoles: [Word] = []
  package var hostPaths: [HostPath] = []
  package var capabilities: [Word] = []
  package var namespaces: [Word] = []
  package var dockerParameters: [Word] = []
  /// `"all"`.
  var allDockerParameters: Rule?
  package var privileges: [Word] = []
  /// `true`.
  var allPrivileges: Rule?
  package var devices: [Word] = []
  package var seccomp: [Word] = []
  package var networks: [Word] = []
  package var ceilings: [Ceiling: Limit] = [:]
  var defaultResources: Resources?

  package init() {}

  /// Decodes a policy, or says everything that is wrong with it.
  package static func decode(_ bytes: [UInt8]) -> (policy: Policy?, faults: [PolicyFault]) {
    let json: JSON
    do throws(JSONError) { json = try JSON(parsing: bytes) } catch {
      return (nil, [PolicyFault(position: error.position, path: "", message: error.message)])
    }
    let faults = PolicyChecker.faults(in: json)
    return faults.isEmpty ? (Policy(checked: json), []) : (nil, faults)
  }

  /// Of a value in which the checker found nothing wrong.
  private init(checked json: JSON) {
    func words(_ list: JSON?, _ name: String) -> [Word] {
      (list?.array ?? []).enumerated().compactMap { index, item in
        item.string.map { Word(text: $0, rule: Rule(name: "\(name)[\(index)]", position: item.position)) }
      }
    }
    allowedRoles = json["roles"]?["allow"].map { words($0, "roles.allow") }
    deniedRoles = words(json["roles"]?["deny"], "roles.deny")
    hostPaths = (json["host_paths"]?.array ?? []).enumerated().compactMap { index, item in
      item["path"]?.string.map {
        HostPath(
          path: $0, isWritable: item["mode"]?.string == "RW",
          rule: Rule(name: "host_paths[\(index)]", position: item.position))
      }
    }
    capabilities = words(json["capabilities"], "capabilities")
    namespaces = words(json["host_namespaces"], "host_namespaces")
    dockerParameters = words(json["docker_parameters"], "docker_parameters")
    if let all = json["docker_parameters"], all.string != nil {
      allDockerParameters = Rule(name: "docker_parameters", position: all.position)
    }
    privileges = words(json["privileged"], "privileged")
    if let all = json["privileged"], all.bool == true {
      allPrivileges = Rule(name: "privileged", position: all.position)
    }
    devices = words(json["devices"], "devices")
    seccomp = words(json["seccomp"], "seccomp")
    networks = words(json["networks"], "networks")
    for ceiling in Ceiling.allCases {
      if let value = json["ceilings"]?[ceiling.rawValue], let most = value.integer {
        let rule = Rule(name: "ceilings.\(ceiling.rawValue)", position: value.position)
        ceilings[ceiling] = Limit(most: most, rule: rule)
      }
    }
    if let resources = json["defaults"]?["resources"] { defaultResources = Resources(policy: resources) }
  }

  /// The names for `--allow-docker-parameters` that say the same; the field `privileged` stands for an option.
  package var dockerParametersText: String {
    if allDockerParameters != nil { return "all" }
    let hasContainer = allPrivileges != nil || privileges.contains { $0.has(Privilege.container.rawValue) }
    let names = dockerParameters.map(\.text) + (hasContainer ? ["privileged"] : [])
    return names.isEmpty ? "none" : names.joined(separator: ",")
  }
}

extension Resources {
  /// `defaults.resources` of a policy, or what a journal says that they were.
  package init?(policy json: JSON) {
    guard let cpu = json["cpu"]?.double, let ram = json["ram"]?.integer, let disk = json["disk"]?.integer else {
      return nil
    }
    self.init(cpu: cpu, ram: ram, disk: disk, pids: json["pids"]?.integer)
  }

  /// The same for the journal.
  var policyJSON: JSON {
    JSON(object: [
      ("cpu", JSON(cpu)), ("ram", JSON(ram)), ("disk", JSON(disk)), ("pids", pids.map { JSON($0) }),
    ])
  }
}
