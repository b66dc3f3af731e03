import Testing

@testable import DockerContainerizer
@testable import DockerEngineClient
@testable import TaskStore

/// Paths of the host as an engine is asked for them.
struct DockerHostPathTests {
  private func asked(_ value: String) throws -> HostConfig {
    var create = ContainerCreateRequest(image: "x")
    try DockerRunOptions.apply(parameters: [(name: "volume", value: value)], to: &create)
    create.hostConfig.makeNoSources()
    return create.hostConfig
  }

  @Test(arguments: [
    ("/a:/b", #"{"Type":"bind","Source":"/a","Target":"/b"}"#),
    ("/a:/b:rw,default", #"{"Type":"bind","Source":"/a","Target":"/b"}"#),
    (
      "/a:/b:ro,rslave",
      #"{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true,"BindOptions":{"Propagation":"rslave"}}"#
    ),
    (
      "/a:/b:cached,private",
      #"{"Type":"bind","Source":"/a","Target":"/b","Consistency":"cached","BindOptions":{"Propagation":"private"}}"#
    ),
  ])
  func anEngineIsNeverAskedToMakeOne(_ value: String, _ mount: String) throws {
    let config = try asked(value)
    #expect(config.binds.isEmpty && config.mounts.map(\.json.compact) == [mount])
  }

  @Test func volumesStayWhatTheyAre() throws {
    let config = try asked("name:/b:ro,nocopy")
    #expect(config.binds.map(\.text) == ["name:/b:ro,nocopy"] && config.mounts.isEmpty)
  }

  @Test func whatCannotBeHadIsSaid() throws {
    func finding(_ name: String, _ value: String, hasLabels: Bool = true) -> DockerHostPaths.Finding? {
      DockerHostPaths.finding(name, value, hasLabels: hasLabels)
    }
    let made = try #require(finding("mount", "type=bind,src=/a,dst=/b,bind-create-src"))
    #expect(made.reason.contains("nothing is made on the host") && !made.isHarmless)
    for option in ["z", "ro,Z"] {
      #expect(finding("v", "/a:/b:\(option)")?.isHarmless == false)
      #expect(finding("v", "/a:/b:\(option)", hasLabels: false)?.isHarmless == true)
      #expect(finding("v", "name:/b:\(option)") == nil)
    }
    #expect(finding("volume", "/a:/b:nocopy")?.reason.contains("is for volumes") == true)
    for (name, value) in [("volume", "/a:/b:ro"), ("volume", "/b"), ("volume", "a:b:c:d"), ("env", "A=b")] {
      #expect(finding(name, value) == nil)
    }
  }

  @Test func nothingIsKnownOfADirectoryOfAVolume() throws {
    func refusal(_ subpath: String) throws -> String? {
      let text = #"{"Type":"volume","Name":"n","Source":"/usr","Destination":"/v"}"#
      let found = try ContainerDetails.Mount(JSONFields(parsing: Array(text.utf8)))
      var create = ContainerCreateRequest(image: "x")
      var volume = MountSpec(.volume, source: "n", target: "/v")
      volume.subpath = subpath
      create.hostConfig.mounts = [volume]
      create.hostConfig.tmpfs = ["/v/lib": ""]
      do throws(ExecutorFailure) {
        try DockerMountPoints([found], create, own: [], sandbox: "/mnt", writablePaths: [])
          .check { (_) throws(ExecutorFailure) in nil }
        return nil
      } catch {
        return error.message
      }
    }
    #expect(try refusal("") == nil)
    #expect(try refusal("share")?.contains("a directory of the volume n") == true)
  }

  @Test func noMountPointIsWhereTasksMayWriteByAPolicy() throws {
    func refusal(_ source: String, _ target: String, _ writable: [String]) throws -> String? {
      do throws(ExecutorFailure) {
        let points = [
          DockerMountPoints.Point("/a", .directory, .host(source)), DockerMountPoints.Point(target, .directory),
        ]
        try DockerMountPoints(points, writablePaths: writable).check { (_) throws(ExecutorFailure) in nil }
        return nil
      } catch {
        return error.message
      }
    }
    #expect(try refusal("/usr", "/a/lib", []) == nil)
    for writable in ["/", "/usr"] {
      #expect(try refusal("/usr", "/a/lib", [writable])?.contains("tasks may write in \(writable),") == true)
    }
    // Its own name is in a directory where they may not.
    #expect(try refusal("/usr", "/a/lib", ["/usr/lib"]) == nil)
    #expect(try refusal("/usr", "/a/share", ["/usr/lib", "/us"]) == nil)
  }
}
