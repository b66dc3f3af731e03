import Containers
import StrictJSON
import Testing

/// What `plan` shows of a request to an engine: all that it asks for, and no secret.
@Suite struct EngineRequestTests {
  private func request(_ body: String, platform: String? = nil, accounts: Bool = false) throws -> EngineRequest {
    EngineRequest(
      name: "aurora-t-1", image: "busybox", platform: platform, body: try JSON(parsing: Array(body.utf8)),
      mountsAccounts: accounts)
  }

  @Test func peopleGetALineAMember() throws {
    let request = try request(
      #"""
      {"Image": "sha256:1", "Cmd": ["a", "b"], "HostConfig": {"Memory": 5,
        "Mounts": [{"Type": "bind", "Source": "/a"}, {"Type": "bind", "Source": "/b"}], "Binds": []}}
      """#, platform: "linux/arm64", accounts: true)
    let indent = "             "
    #expect(
      request.lines == [
        "image      busybox for linux/arm64", "container  aurora-t-1, created with",
        indent + "Image = sha256:1", indent + #"Cmd = ["a","b"]"#, indent + "HostConfig.Memory = 5",
        indent + #"HostConfig.Mounts[0] = {"Type":"bind","Source":"/a"}"#,
        indent + #"HostConfig.Mounts[1] = {"Type":"bind","Source":"/b"}"#, indent + "HostConfig.Binds = []",
        indent + "and account files: the image's, with the role user in them",
      ])
  }

  @Test func valuesOfVariablesAreNotShown() throws {
    let request = try request(#"{"Env": ["PASSWORD=secret", "EMPTY=", "NONE"]}"#)
    #expect(request.lines.last == #"             Env = ["PASSWORD","EMPTY","NONE"]"#)
    #expect(request.json["create"]?.compact == #"{"Env":["PASSWORD","EMPTY","NONE"]}"#)
    // What the engine gets has them.
    #expect(request.body.compact.contains("secret"))
  }

  @Test func whatADocumentSaysCannotForgeALine() throws {
    let request = try request(#"{"Hostname": "a\nb\u001b[2J"}"#)
    #expect(request.lines.allSatisfy { !$0.utf8.contains(0x0a) && !$0.utf8.contains(0x1b) })
  }

  @Test func programsGetTheSame() throws {
    let json = try request("{}").json
    #expect(json["name"]?.string == "aurora-t-1" && json["image"]?.string == "busybox" && json["platform"] == nil)
    #expect(json["mounts_account_files"]?.bool == false)
  }
}
