import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// Plans that container-init carries out, or refuses, before anything of a task has run.
@Suite(.needsExecutor) struct InitSetupTests {
  private func refusal(_ executor: Conversation) throws -> (message: String, hint: String) {
    try executor.hear { if case .setupFailed(let message, let hint) = $0 { (message, hint) } else { nil } }
  }

  @Test func aPlanThatCannotBeCarriedOutIsRefused() throws {
    let container = try StartedInit(steps: { _ in [.pivot] })
    let found = try refusal(try container.connect())
    #expect(found.message == "the plan has no root before its first mount")
    #expect(try container.end() == .exited(70))
    #expect(try container.log == "container-init: \(found.message)\n")
  }

  @Test func whatIsNoPlanEndsItWithAWord() throws {
    let container = try StartedInit(text: [1, 2, 3])
    #expect(try container.end() == .exited(70))
    #expect(try container.log.hasPrefix("container-init: "))
  }

  @Test func anExecutorThatSendsNoPlanIsNotWaitedFor() throws {
    let directory = "/tmp/aurora-handover-\(UInt64.random(in: 0 ... .max))"
    try makeDirectories(directory)
    defer { try? removeTree(directory) }
    let reception = try Handover.Reception(at: directory + "/sock")
    let null = try openFile("/dev/null", O_RDWR)
    let request = SpawnRequest(
      executable: .path(try #require(HostNeeds.executor)),
      arguments: ["aurora-executor", ContainerInit.command, directory + "/sock"],
      descriptors: [null.rawValue, null.rawValue, null.rawValue])
    let child = try request.spawn()
    let timeout = StartedInit.timeout
    #expect(try waitUntilReady(reception.descriptor, read: true, write: false, timeoutMilliseconds: timeout))
    #expect(try reception.accept()?.peer.pid == child.pid)
    #expect(try reception.accept() == nil)
    #expect(try child.wait().status == .exited(70))
  }

  // MARK: In namespaces

  /// The host's root, with something over it.
  @Test(.needsNamespaces) func aTaskOfTheHostDoesNotSeeWhatIsHidden() throws {
    let container = try StartedInit(.namespaces) { _ in
    } steps: { directory in
      let hidden = directory + "/hidden"
      return [
        .hostRoot,
        .mount(type: "tmpfs", target: hidden, options: ["mode=711", "size=64k"], attributes: 1),
        .mask(directory + "/mask"), .mask(directory + "/masked"), .mask(directory + "/also"), .mask("/no/such/file"),
        .readOnly(directory + "/kept"), .readOnly("/no/such/file"), .hostname("inside"),
      ]
    } prepare: { directory in
      for name in ["hidden", "masked", "also", "kept"] {
        try makeDirectories("\(directory)/\(name)")
        try writeFileAtomically("\(directory)/\(name)/file", [])
      }
      try writeFileAtomically(directory + "/mask", Array("secret".utf8))
    }
    let executor = try container.connect()
    _ = try executor.reports()
    let line = """
      cd \(container.directory); echo hidden/* masked/* also/* kept/* $(cat mask) $(uname -n)
      touch kept/new 2> /dev/null || echo cannot write
      """
    #expect(try executor.output(line) == "hidden/* masked/* also/* kept/file inside\ncannot write\n")
    // And the host is as it was.
    #expect(container.file("mask") == "secret" && container.file("hidden/file") != nil)
  }

  @Test(.needsNamespaces) func nothingIsMadeOnTheHostsFileSystem() throws {
    let container = try StartedInit(.namespaces, steps: { [.hostRoot, .directory(target: $0 + "/new", mode: 0o755)] })
    let found = try refusal(try container.connect())
    #expect(found.message.contains("nothing is made for a container on the host's file system"))
    #expect(found.hint.contains("below the sandbox"))
    #expect(throws: Errno.self) { try status(of: container.directory + "/new") }
  }

  @Test(.needsNamespaces) func aFileSystemThatIsNoneIsNamed() throws {
    let container = try StartedInit(
      .namespaces, steps: { [.hostRoot, .mount(type: "nosuchfs", target: $0, options: [], attributes: 0)] })
    let found = try refusal(try container.connect())
    #expect(found.message.contains("cannot mount nosuchfs on \(container.directory)"))
    #expect(found.message.contains("ENODEV"))
  }

  /// What of the host is mounted comes as detached mounts, which only root makes.
  @Test(.needsNamespaces, .needsRoot) func volumesAreMountedTheDeepestLast() throws {
    let host = "/tmp/aurora-volumes-\(UInt64.random(in: 0 ... .max))"
    defer { try? removeTree(host) }
    for name in ["data", "cache", "data/cache"] { try makeDirectories("\(host)/\(name)") }
    try writeFileAtomically(host + "/data/one", [])
    try writeFileAtomically(host + "/cache/two", [])
    func bind(_ source: String, _ target: String, _ kind: BindMount.Kind, readOnly: Bool = false) -> BindMount {
      BindMount(
        source: source, target: target, attributes: readOnly ? MountAttributes.readOnly.rawValue : 0, recursive: false,
        kind: kind)
    }
    // In another order than they can be mounted in.
    let sources = try ["cache", "data", "cache"].map {
      SharedDescriptor(try cloneMount("\(host)/\($0)", recursive: false))
    }
    let container = try StartedInit(.namespaces, sources: sources) { _ in
    } steps: { directory in
      [
        .hostRoot,
        .binds([
          bind(host + "/cache", directory + "/v/cache", .volume, readOnly: true),
          bind(host + "/data", directory + "/v", .volume),
          bind(host + "/cache", directory + "/v", .optional),
        ]),
      ]
    } prepare: {
      try makeDirectories($0 + "/v")
    }
    let executor = try container.connect()
    _ = try executor.reports()
    let line = "echo * cache/*; touch new; touch cache/new 2> /dev/null || echo no"
    let words = try executor.output("cd \(container.directory)/v; " + line)
    #expect(words == "cache one cache/two\nno\n")
    #expect((try? status(of: host + "/data/new")) != nil)
  }

  @Test(.needsNamespaces, .needsRoot) func aVolumeMayNotCoverAnother() throws {
    let source = SharedDescriptor(try cloneMount("/tmp", recursive: false))
    let other = SharedDescriptor(try cloneMount("/tmp", recursive: false))
    let container = try StartedInit(.namespaces, sources: [source, other]) { _ in
    } steps: { directory in
      let mount = BindMount(
        source: "/tmp", target: directory + "/v", attributes: 0, recursive: false, kind: .volume)
      return [.hostRoot, .binds([mount, mount])]
    } prepare: {
      try makeDirectories($0 + "/v")
    }
    let found = try refusal(try container.connect())
    #expect(found.message.contains("it would cover something else that is mounted there"))
  }
}
