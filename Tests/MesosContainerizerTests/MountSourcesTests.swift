import Glibc
import Isolators
import LaunchModel
import LinuxKernel
import TaskStore
import Testing

@testable import MesosContainerizer

/// What of the host is mounted in a container, opened by who may name it.
@Suite struct MountSourcesTests {
  private final class Place {
    let path = "/tmp/aurora-mounts-\(UInt64.random(in: 0 ... .max))"
    var config = ContainerConfig.plain()

    init() throws {
      try makeDirectories(path + "/sandbox/data")
      try makeDirectories(path + "/volume")
      try writeFileAtomically(path + "/volume/file", [])
      config.sandboxHostPath = path + "/sandbox"
      for (name, content) in [("link", path + "/volume"), ("sandbox/link", "/etc")] {
        try makeSymbolicLink("\(path)/\(name)", to: content, at: AT_FDCWD)
      }
    }
    deinit { try? removeTree(path) }

    func open(_ source: String) throws -> [SharedDescriptor] {
      let sandbox = SharedDescriptor(try openFile(config.sandboxHostPath, O_RDONLY | O_DIRECTORY))
      let bind = BindMount(source: source, target: "/v", attributes: 0, recursive: false, kind: .volume)
      return try MountSources(config: config, sandbox: sandbox).open([bind])
    }
  }

  @Test func whatIsNotThereIsNamedWithWhereItGoes() throws {
    let place = try Place()
    let error = #expect(throws: LaunchError.self) { try place.open(place.path + "/missing") }
    #expect(error?.message.hasPrefix("cannot mount \(place.path)/missing on /v: ") == true)
    #expect(error?.hint == "\(place.path)/missing must exist on the host")
  }

  /// A task may have put a link there; root would follow it to anywhere.
  @Test func noLinkOfTheSandboxIsFollowed() throws {
    let place = try Place()
    for source in ["/sandbox/link", "/sandbox/link/x"] {
      let error = #expect(throws: LaunchError.self) { try place.open(place.path + source) }
      #expect(error?.message.contains("ELOOP") == true && error?.hint == nil)
    }
  }

  @Test func aPathThatWasJudgedIsTakenAsItWas() throws {
    let place = try Place()
    place.config.volumesAreJudged = true
    let error = #expect(throws: LaunchError.self) { try place.open(place.path + "/link") }
    #expect(error?.message.contains("ELOOP") == true)
  }

  @Test(.needsRoot) func aSourceIsOpenedAsADetachedMount() throws {
    let place = try Place()
    for source in ["/volume", "/link"] {
      let mount = try #require(try place.open(place.path + source).first)
      let inside = try openFile(".", O_RDONLY | O_DIRECTORY, at: mount.rawValue)
      #expect(try entries(of: inside.rawValue).map(\.name) == [Array("file".utf8)])
    }
    #expect(try place.open(place.path + "/sandbox").count == 1 && place.open(place.path + "/sandbox/data").count == 1)
  }
}
