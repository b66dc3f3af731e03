import Glibc
import LinuxKernel
import Testing

@testable import OperatorPolicy

/// That `docs/policy.md` and the policy to start from say what is so.
struct PolicyDocumentationTests {
  private func read(_ path: String) throws -> String {
    let parts = #filePath.split(separator: "/").dropLast(3).map(String.init) + [path]
    return String(decoding: try readFile("/" + parts.joined(separator: "/")), as: UTF8.self)
  }

  @Test func everyMemberAndEveryWordIsOnThePage() throws {
    let page = try read("docs/policy.md")
    for field in PolicyFields.policy.fields where field.name != "$schema" {
      #expect(page.contains("\n### \(field.name)\n"), "\(field.name)")
    }
    for privilege in Privilege.allCases { #expect(page.contains("\n| `\(privilege.rawValue)` |")) }
    for ceiling in Ceiling.allCases { #expect(page.contains("\n| `\(ceiling.rawValue)` |")) }
    for namespace in HostNamespace.allCases { #expect(page.contains("\"\(namespace.rawValue)\"")) }
  }

  @Test func examplesArePolicies() throws {
    var examples = 0
    for block in try read("docs/policy.md").split(separator: "```json\n").dropFirst() {
      let text = try #require(block.split(separator: "```").first)
      #expect(Policy.decode(Array(text.utf8)).faults == [], "\(text)")
      examples += 1
    }
    #expect(examples == PolicyFields.policy.fields.count - 1)
  }

  @Test func thePolicyToStartFromGivesNothingOfTheHost() throws {
    let policy = try #require(Policy.decode(Array(try read("packaging/policy-agent.json").utf8)).policy)
    #expect(policy.allowedRoles?.map(\.text) == ["*"])
    #expect(policy.hostPaths.isEmpty && policy.capabilities.isEmpty && policy.namespaces.isEmpty)
    #expect(policy.dockerParametersText == "none" && policy.privileges.isEmpty && policy.allPrivileges == nil)
    #expect(policy.devices.isEmpty && policy.seccomp.isEmpty && policy.networks.isEmpty)
  }
}
