import LinuxKernel
import Testing

@Suite struct AccountFileTests {
  @Test func linesAreSplitAsBytes() {
    let file = AccountFile(Array("root:x:0:0:root:/root:/bin/sh\r\nx:\u{301}y:1:2\n\n#c:x:1:1\n+::0:0\nno".utf8))
    #expect(file.lines.map(\.name) == [Array("root".utf8), Array("x".utf8)])
    #expect(file.lines(named: "root").first?.number(3) == 0)
    #expect(file.lines(numbered: 1).first?.name == Array("x".utf8))
  }

  @Test(
    arguments: [
      ("0", 0), ("33", 33), ("4294967294", 4_294_967_294), ("00", nil), ("+1", nil), ("-1", nil), ("4294967295", nil),
      ("4294967296", nil), ("0x1", nil), ("", nil), ("1 ", nil), ("١", nil),
    ] as [(String, UInt32?)])
  func onlyCanonicalNumbersCount(text: String, value: UInt32?) {
    #expect(AccountFile.number(Array(text.utf8)) == value)
  }

  @Test func cgroupMountsAreFoundByTheirControllers() {
    let text = """
      30 25 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
      31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
      32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
      33 25 0:29 /docker/x /other rw - cgroup cgroup rw,pids
      34 25 0:30 / /with\\040space rw - cgroup cgroup rw,devices
      35 25 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/usr/lib/x,name=systemd
      bad line
      """
    var found = CgroupHierarchies(mountInfo: Array(text.utf8))
    #expect(
      found.version1 == [
        "memory": "/sys/fs/cgroup/memory", "cpu": "/sys/fs/cgroup/cpu,cpuacct", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
        "name=systemd": "/sys/fs/cgroup/systemd",
      ])
    #expect(
      found.version1Hierarchies.map(\.mount) == [
        "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/systemd",
      ])
    #expect(found.version1Hierarchy(of: "cpu")?.controllers == ["cpu", "cpuacct"])
    let own = "5:devices:/\n4:memory:/\n3:cpu,cpuacct:/x:y\n2:name=systemd:/\n0::/\n"
    found.noteUnmounted(ownCgroups: Array(own.utf8))
    #expect(found.unmounted == ["devices"])
    #expect(found.version2 == "/sys/fs/cgroup/unified")
    found = CgroupHierarchies(mountInfo: Array(text.utf8.prefix { $0 != UInt8(ascii: "\n") }))
    found.noteUnmounted(ownCgroups: Array("4:memory:/\n0::/\n".utf8))
    #expect(found.unmounted == ["cgroup2"])
  }

  @Test func timestampsAreRFC3339() {
    #expect(Clock.timestamp(0) == "1970-01-01T00:00:00.000Z")
    #expect(Clock.timestamp(1_795_342_500_120_000_000) == "2026-11-22T10:15:00.120Z")
    #expect(Clock.civil(11016) == (2000, 2, 29))
  }

  @Test func whatATerminalActsOnIsEscaped() {
    #expect(printable([0x1b, 0x5b, 0x41, 0x0a, 0xff]) == "\\x1b[A\\x0a\\u{fffd}")
  }

  @Test func aTreeIsRemovedWithoutFollowingLinks() throws {
    let base = "/tmp/aurora-unit-\(UInt32.random(in: 0..<UInt32.max))"
    try makeDirectories(base + "/kept")
    try makeDirectories(base + "/gone/" + (0..<60).map { "d\($0)" }.joined(separator: "/"))
    try makeSymbolicLink(base + "/gone/link", to: base + "/kept")
    try removeTree(base + "/gone")
    #expect(try entries(of: base).map(\.name) == [Array("kept".utf8)])
    try removeTree(base)
    #expect((try? entries(of: base)) == nil)
  }

  @Test func capabilitiesHaveTheirNumbers() {
    #expect(Capabilities(name: "cap_sys_admin")?.rawValue == 1 << 21)
    #expect(Capabilities(name: "CHOWN")?.rawValue == 1)
    #expect(Capabilities(name: "CAP_NOTHING") == nil)
  }
}
