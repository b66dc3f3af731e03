import LaunchModel
import LinuxKernel
import TaskModel
import Testing

@testable import Containers
@testable import DockerContainerizer
@testable import DockerEngineClient
@testable import TaskStore

/// Where a container's numbers are read, and what a single file's archive holds.
struct DockerPartsTests {
  @Test func onlyCgroupsOfTheContainersOwnAreItsCgroups() throws {
    let id = try #require(ContainerID(String(repeating: "ab", count: 32)))
    var hierarchies = CgroupHierarchies()
    hierarchies.version1 = ["cpu": "/c/cpu", "pids": "/c/pids", "memory": "/c/memory"]
    hierarchies.version2 = "/c/unified"
    func cgroups(_ text: String) -> [String?] {
      let found = DockerCgroups(id, cgroups: Array(text.utf8), hierarchies: hierarchies)
      return [found.cpu?.path, found.processes?.path]
    }
    let own = "/docker/\(id.text)"
    #expect(cgroups("4:cpu,cpuacct:\(own)\n3:pids:\(own)/made/inside\n0::/\n") == ["/c/cpu" + own, "/c/pids" + own])
    let scope = "/system.slice/docker-\(id.text).scope"
    #expect(cgroups("0::\(scope)/init\n") == ["/c/unified" + scope, "/c/unified" + scope])
    #expect(cgroups("4:cpu:/\n3:pids:/docker/other\n0::/x/../\(id.text)\n") == [nil, nil])
  }

  @Test func whatAnEngineGivesAContainerIsFoundByItsDirectory() {
    let id = String(repeating: "0f", count: 32)
    let text = """
      10 1 8:1 /var/lib/docker/containers/\(id)/hosts /etc/hosts rw - ext4 x rw
      11 1 8:1 /containers/\(id)/resolv.conf /a\\040b/resolv.conf rw - ext4 x rw
      12 1 8:1 /etc/hostname /etc/hostname rw - ext4 x rw
      13 1 8:1 /containers/\(id)/config.json /x rw - ext4 x rw
      14 1 8:1 /docker/volumes/\(id)/_data /vol rw - ext4 x rw
      15 1 8:1 /docker/volumes/name/_data /named rw - ext4 x rw
      16 1 8:1 /docker/volumes/\(id)/_data/_data /deeper rw - ext4 x rw

      """
    let found = EngineFiles.places(mountinfo: Array(text.utf8))
    #expect(found.map(\.id) == [10, 11, 14])
    #expect(found.map { String(decoding: $0.place, as: UTF8.self) } == ["/etc/hosts", "/a b/resolv.conf", "/vol"])
  }

  @Test func cgroupsOfAProcessAreFoundInBothVersions() throws {
    let root = "/tmp/aurora-usage-\(CurrentProcess.pid)"
    defer { try? removeTree(root) }
    var hierarchies = CgroupHierarchies()
    hierarchies.version1 = ["memory": root + "/memory", "freezer": root + "/freezer"]
    hierarchies.version2 = root + "/unified"
    for (file, content) in [
      ("memory/docker/abc/memory.max_usage_in_bytes", "77\n"), ("memory/docker/abc/memory.oom_control", "oom_kill 2\n"),
      ("freezer/docker/abc/freezer.state", "FROZEN\n"), ("unified/docker/abc/cpu.stat", "usage_usec 5\n"),
      ("unified/docker/abc/memory.peak", "99\n"),
    ] {
      let path = root + "/" + file
      let slash = try #require(path.lastIndex(of: "/"))
      try makeDirectories(String(path[..<slash]))
      try writeFileAtomically(path, Array(content.utf8))
    }
    let text = "9:memory:/docker/abc\n4:cpuset,freezer:/docker/abc\n3:name=systemd:/x\nbroken\n0::/docker/abc\n"
    let usage = DockerUsage(cgroups: Array(text.utf8), hierarchies: hierarchies)
    #expect(usage.now.memoryPeakBytes == 77 && usage.now.outOfMemoryKills == 2 && usage.now.cpuNanoseconds == 5000)
    #expect(usage.isFrozen)
    let unified = DockerUsage(cgroups: Array("0::/docker/abc\n".utf8), hierarchies: hierarchies)
    #expect(unified.now.memoryPeakBytes == 99 && !unified.isFrozen)
  }

  /// One entry of a tar archive.
  private func entry(_ type: Character, _ content: String, size: String? = nil) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    header[0] = UInt8(ascii: "f")
    let octal = size ?? String(content.utf8.count, radix: 8)
    header.replaceSubrange(124..<(124 + octal.utf8.count), with: Array(octal.utf8))
    header[156] = type.asciiValue ?? 0
    return header + Array(content.utf8) + [UInt8](repeating: 0, count: (512 - content.utf8.count % 512) % 512)
  }

  @Test func theContentOfASingleFileIsFoundBehindItsAttributes() {
    let end = [UInt8](repeating: 0, count: 1024)
    #expect(SingleFileArchive.content(entry("0", "text") + end) == Array("text".utf8))
    #expect(SingleFileArchive.content(entry("x", "11 a=b") + entry("0", "text") + end) == Array("text".utf8))
    #expect(SingleFileArchive.content(entry("0", "")) == [])
  }

  /// A link's archive, whose text stands in the header.
  private func link(_ text: String, after attributes: [UInt8] = []) -> [UInt8] {
    var entry = entry("2", "")
    entry.replaceSubrange(157..<(157 + text.utf8.count), with: Array(text.utf8))
    return attributes + entry
  }

  @Test func theTextOfALinkIsFoundWhereItIsWhole() {
    #expect(SingleFileArchive.link(link("/a/../b")) == Array("/a/../b".utf8))
    #expect(SingleFileArchive.link(link("x", after: entry("x", "11 a=b"))) == Array("x".utf8))
    for archive in [
      [], entry("0", "text"), link(""), link("x", after: entry("x", "20 linkpath=/y")),
      link(String(repeating: "x", count: 100)),
    ] {
      #expect(SingleFileArchive.link(archive) == nil)
    }
  }

  @Test func mountsAreLaidOutAsTheEngineDoesIt() throws {
    let host = DockerMountPoints.Content.host("/proc/1")
    func refusal(_ points: [DockerMountPoints.Point], _ links: [String: String] = [:]) throws -> String? {
      do throws(ExecutorFailure) {
        try DockerMountPoints(points).check { (path) throws(ExecutorFailure) in links[path].map { Array($0.utf8) } }
        return nil
      } catch {
        return error.message
      }
    }
    let bound = DockerMountPoints.Point("/a", .directory, host)
    #expect(try refusal([.init("/a/new", .directory), bound])?.contains("/a/new of the container") == true)
    #expect(try refusal([.init("/a/task", .directory), .init("/a/status", .file), bound]) == nil)
    #expect(try refusal([.init("/a/status", .directory), bound])?.contains("no directory") == true)
    #expect(try refusal([.init("/a/exe", .file), bound])?.contains("a link on the way") == true)
    // In what is mounted within it.
    #expect(try refusal([bound, .init("/a/task", .directory), .init("/a/task/new", .directory)]) == nil)
    // At one depth, in either order.
    #expect(try refusal([bound, .init("/0", .directory)], ["/0": "a/new"])?.contains("/0 of the container") == true)
    #expect(
      try refusal([bound, .init("/z", .directory)], ["/z": "/x/../a/new"])?.contains("/z of the container") == true)
    #expect(try refusal([bound, .init("/z", .directory)], ["/z": "z"])?.contains("too many links") == true)
    #expect(try refusal([.init("/v", .directory, .unseen("x")), .init("/v/a", .node)])?.contains("not known") == true)
  }

  @Test func placesAreWhereTheirTargetsSayAndNobodyElseIs() throws {
    let engine: [DockerMountPoints.Point] = [
      .init("/proc", .directory, .unseen("/proc"), isEngines: true), .init("/dev", .directory, isEngines: true),
      .init("/sys", .directory, .unseen("/sys"), isEngines: true),
      .init("/sys/fs/cgroup", .directory, .unseen("/sys/fs/cgroup"), isEngines: true),
    ]
    func refusal(_ points: [DockerMountPoints.Point], _ links: [String: String] = [:]) throws -> String? {
      do throws(ExecutorFailure) {
        try DockerMountPoints(engine + points).check { (path) throws(ExecutorFailure) in
          links[path].map { Array($0.utf8) }
        }
        return nil
      } catch {
        return error.message
      }
    }
    let (host, links) = (DockerMountPoints.Content.host("/proc/1"), ["/l": "/dev", "/t/l": "/a", "/v/l": "/a"])
    #expect(try refusal([.init("/l", .directory, host)], links)?.contains("leads to /dev") == true)
    #expect(try refusal([.init("/l/x", .node)], links)?.contains("leads to /dev/x") == true)
    #expect(try refusal([.init("/dev/x", .node), .init("/dev/y", .directory, host)], links) == nil)
    #expect(try refusal([.init("/dev/null", .file, host)])?.contains("/dev/null") == true)
    #expect(try refusal([.init("/proc/self/root/a", .directory)])?.contains("below /proc or /sys") == true)
    #expect(try refusal([.init("/l", .directory)], ["/l": "/"])?.contains("leads to /,") == true)
    #expect(try refusal([.init("/sys", .directory)])?.contains("on one place") == true)
    #expect(try refusal([.init("/a", .directory), .init("/a", .node)])?.contains("on one place") == true)
    #expect(
      try refusal([.init("/l", .directory), .init("/x", .directory)], ["/l": "x"])?.contains("on one place") == true)
    #expect(
      try refusal([.init("/l", .directory), .init("/a/b", .directory)], ["/l": "/a/b/c"])?.contains("would cover")
        == true)
    // What the image has below a tmpfs is not seen; in a volume that it fills it is.
    #expect(
      try refusal([.init("/t", .directory), .init("/t/l", .directory), .init("/a", .directory, host)], links) == nil)
    #expect(
      try refusal([.init("/v", .directory, .copied), .init("/v/l", .directory)], links)?.contains("a link on the way")
        == true)
    #expect(
      try refusal([.init("/t", .directory), .init("/t/v", .directory, .copied), .init("/t/v/x", .directory)]) == nil)
    #expect(
      try refusal(
        [.init("/t", .directory), .init("/t/l", .directory, .copied), .init("/t/l/x", .directory)], links)?
        .contains("not known") == true)
    #expect(try refusal([.init("/b", .directory)], ["/b": "/dev/../c"])?.contains("a link of the image") == true)
    #expect(try refusal([.init("/d", .nodes)])?.contains("a whole directory of devices") == true)
    #expect(try refusal([.init("/dev/d", .nodes)]) == nil)
  }

  @Test func anythingElseIsNoFile() {
    for archive in [
      [], entry("2", ""), entry("5", ""), entry("0", "text", size: "7777777"), entry("0", "text", size: "9"),
      entry("x", "text", size: "77777777777"), [UInt8](repeating: 0, count: 1024), Array(entry("0", "t").prefix(512)),
    ] {
      #expect(SingleFileArchive.content(archive) == nil)
    }
  }
}
