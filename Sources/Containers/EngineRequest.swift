import LinuxKernel
import StrictJSON

/// The request to create a task's container, for people and for programs.
package struct EngineRequest {
  /// Stands for the random word that a launch makes.
  package static let unknown = "<random>"

  /// The container's name.
  package let name: String
  /// As the document names it.
  package let image: String
  package let platform: String?
  /// What the engine gets.
  package let body: JSON
  /// A launch reads the image's account files and mounts them with the role user in them.
  package let mountsAccounts: Bool

  package init(name: String, image: String, platform: String?, body: JSON, mountsAccounts: Bool) {
    self.name = name
    self.image = image
    self.platform = platform
    self.body = body
    self.mountsAccounts = mountsAccounts
  }

  package var json: JSON {
    JSON(object: [
      ("name", JSON(name)), ("image", JSON(image)), ("platform", platform.map { JSON($0) }),
      ("mounts_account_files", JSON(mountsAccounts)), ("create", shown),
    ])
  }

  package var lines: [String] {
    var lines = ["image      \(printable(image.utf8))" + (platform.map { " for \(printable($0.utf8))" } ?? "")]
    lines.append("container  \(name), created with")
    for member in shown.members ?? [] {
      guard member.key.utf8.elementsEqual("HostConfig".utf8) else {
        lines += EngineRequest.lines(member.key, member.value)
        continue
      }
      lines += (member.value.members ?? []).flatMap { EngineRequest.lines("HostConfig." + $0.key, $0.value) }
    }
    if mountsAccounts { lines.append("             and account files: the image's, with the role user in them") }
    return lines
  }

  /// One line a member, and one an element of a list of objects, such as mounts.
  private static func lines(_ name: String, _ value: JSON) -> [String] {
    if let elements = value.array, elements.contains(where: { $0.members != nil }) {
      return elements.enumerated().flatMap { lines("\(name)[\($0)]", $1) }
    }
    return ["             \(name) = \(printable((value.string ?? value.compact).utf8))"]
  }

  /// Values of variables may be secrets; names are enough to see what is set.
  private var shown: JSON {
    JSON(
      object: (body.members ?? []).map { member in
        guard member.key.utf8.elementsEqual("Env".utf8), let variables = member.value.array else {
          return (member.key, member.value)
        }
        let names = variables.map { variable -> JSON in
          JSON(String(decoding: (variable.string ?? "").utf8.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self))
        }
        return (member.key, JSON(names))
      })
  }
}
