import LinuxKernel
import StrictJSON
import Testing

@testable import Seccomp

@Suite struct ProfileReaderTests {
  /// The faults of profiles, as `LINE:COLUMN: …` with the words in it.
  @Test(arguments: [
    ("{", "1:2"),
    ("[]", "1:1: a profile is an array"),
    ("{}", "1:1: defaultAction is missing"),
    (#"{"defaultAction": "SCMP_ACT_ALOW"}"#, #"1:19: unknown action "SCMP_ACT_ALOW""#),
    (#"{"defaultAction": 7}"#, "1:19: an action is a number, not a string"),
    (#"{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}"#, "1:56: defaultErrnoRet goes with SCMP_ACT_ERRNO"),
    (#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 70000}"#, "1:56: defaultErrnoRet is the number"),
    (#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": -1}"#, "1:56: defaultErrnoRet is a whole number"),
    ("{\"defaultAction\": \"SCMP_ACT_ALLOW\",\n \"syscals\": []}", #"2:2: unknown key "syscals" in a profile"#),
    (#"{"defaultAction": "SCMP_ACT_NOTIFY"}"#, "1:19: SCMP_ACT_NOTIFY is not supported: nobody"),
    (#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}"#, "1:37: listenerPath is for SCMP_ACT_NOTIFY"),
    (#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"]}"#, "1:47: only the flag"),
    (#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["amd64"]}"#, #"1:55: unknown architecture "amd64""#),
    (
      #"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": [], "archMap": []}"#,
      "1:58: architectures and archMap exclude each other"
    ),
    (#"{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{}]}"#, "1:49: architecture is missing"),
    (entry(#"{}"#), "1:50: names is missing"),
    (entry(#"{"names": []}"#), "1:60: names is empty"),
    (entry(#"{"names": ["read"], "name": "read"}"#), "1:78: name and names exclude each other"),
    (entry(#"{"names": ["Read"]}"#), #"1:61: "Read" is no name of a system call"#),
    (entry(#"{"names": ["read"]}"#), "1:50: action is missing"),
    (entry(#"{"names": ["read"], "acton": 1}"#), #"1:70: unknown key "acton" in an entry of syscalls"#),
    (entry(#"{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}"#), "1:80: SCMP_ACT_NOTIFY is not supported"),
    (allow(#""args": [{"value": 1, "op": "SCMP_CMP_EQ"}]"#), "1:107: index is missing"),
    (allow(#""args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]"#), "1:117: index is the number of an argument"),
    (allow(#""args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EX"}]"#), #"1:138: unknown op "SCMP_CMP_EX""#),
    (allow(#""args": [{"index": 0, "value": 1.5, "op": "SCMP_CMP_EQ"}]"#), "1:129: value is a whole number"),
    (
      allow(#""args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]"#),
      "1:154: a second condition on argument 0"
    ),
    (
      allow(#""args": [{"index": 0, "value": 6, "valueTwo": 9, "op": "SCMP_CMP_MASKED_EQ"}]"#),
      "1:144: valueTwo has bits that value has not"
    ),
    (allow(#""includes": {"caps": ["SYS_ADMIN"]}"#), #"1:120: unknown capability "SYS_ADMIN""#),
    (allow(#""excludes": {"arches": ["SCMP_ARCH_X86"]}"#), #"1:122: unknown architecture "SCMP_ARCH_X86""#),
    (allow(#""includes": {"minKernel": "4"}"#), "1:124: minKernel is a version"),
    (allow(#""includes": {"kernel": "4.8"}"#), #"1:111: unknown key "kernel" in includes"#),
  ])
  func faultsHaveTheirPlace(_ text: String, _ expected: String) throws {
    let fault = #expect(throws: JSONError.self) { try SeccompProfile(parsing: Array(text.utf8)) }
    let description = try #require(fault).description
    #expect(description.utf8.starts(with: expected.utf8), "\(description)")
  }

  @Test func whatDockerWritesIsRead() throws {
    let text = #"""
      {"defaultAction": "SCMP_ACT_ERRNO", "archMap": [{"architecture": "SCMP_ARCH_S390X", "subArchitectures": null}],
       "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "comment": "", "excludes": {},
        "args": [{"index": 0, "value": 18446744073709551615, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
        "includes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["amd64"], "minKernel": "4.8"}},
        {"name": "read", "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "args": null}]}
      """#
    let profile = try SeccompProfile(parsing: Array(text.utf8))
    #expect(profile.defaultAction == .errno(1))
    #expect(profile.entries.count == 2)
    #expect(profile.entries[0].conditions == [.init(0, .maskedEqual, .max, 0)])
    #expect(profile.entries[0].includes.leastKernel == .init(4, 8))
    #expect(profile.entries[1].names == ["read"])
    #expect(profile.entries[1].action == .errno(38))
  }

  @Test(arguments: [
    ("6.1.0-13-amd64", 6, 1), ("5.14", 5, 14), ("6.18.44-fc-v857", 6, 18), ("7.0-rc1", 7, 0),
  ])
  func releasesAreRead(_ text: String, _ major: Int, _ minor: Int) {
    #expect(SeccompProfile.KernelVersion(release: text) == .init(major, minor))
  }

  @Test(arguments: ["", "6", "six.1", "6.x", "-1.2"]) func otherReleasesAreNot(_ text: String) {
    #expect(SeccompProfile.KernelVersion(release: text) == nil)
  }
}

private func entry(_ text: String) -> String { #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": ["# + text + "]}" }
private func allow(_ rest: String) -> String {
  entry(#"{"names": ["read"], "action": "SCMP_ACT_ALLOW", "# + rest + "}")
}
