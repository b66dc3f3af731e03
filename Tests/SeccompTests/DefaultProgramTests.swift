import Foundation
import LinuxKernel
import Testing

@testable import Seccomp

/// The default profile as it was compiled beforehand is what compiling it gives. To write it anew:
/// `AURORA_WRITE_DEFAULT_PROGRAM=1 swift test --filter DefaultProgramTests`
@Suite struct DefaultProgramTests {
  private let capabilities = [
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
  ].reduce(into: Capabilities()) { set, name in set.formUnion(Capabilities(name: name) ?? []) }

  @Test func itIsWhatCompilingGives() throws {
    guard Architecture.own == .amd64 else { return }
    for release in ["4.8.0", "6.18.0"] {
      let compiled = try CompiledProfile(CompiledProfile.defaultText, capabilities: capabilities, release: release)
      if ProcessInfo.processInfo.environment["AURORA_WRITE_DEFAULT_PROGRAM"] == "1" { try write(compiled) }
      let standard = try CompiledProfile.standard(capabilities: capabilities, release: release)
      #expect(standard == compiled)
    }
    #expect(DefaultProgram.capabilities == capabilities.rawValue)
  }

  @Test func otherCapabilitiesAndOldKernelsAreCompiledFor() throws {
    let admin = capabilities.union(Capabilities(name: "SYS_ADMIN") ?? [])
    let text = CompiledProfile.defaultText
    #expect(
      try CompiledProfile.standard(capabilities: admin, release: "6.1.0")
        == CompiledProfile(text, capabilities: admin, release: "6.1.0"))
    #expect(
      try CompiledProfile.standard(capabilities: capabilities, release: "4.4.0")
        == CompiledProfile(text, capabilities: capabilities, release: "4.4.0"))
    #expect(
      try CompiledProfile.standard(capabilities: capabilities, release: "4.4.0").program
        != CompiledProfile.standard(capabilities: capabilities, release: "4.8.0").program)
  }

  private func write(_ compiled: CompiledProfile) throws {
    let words = stride(from: 0, to: compiled.program.count, by: 8).map { start in
      (0..<8).reduce(UInt64(0)) { $0 | UInt64(compiled.program[start + $1]) << UInt64($1 * 8) }
    }
    let rows = stride(from: 0, to: words.count, by: 5).map { start in
      "    " + words[start..<min(start + 5, words.count)].map { "0x" + String($0, radix: 16) }.joined(separator: ", ")
        + ","
    }
    let source = """
      /// The default profile, compiled beforehand; written and compared by `DefaultProgramTests`.
      enum DefaultProgram {
        /// The bounding set that it was compiled for: the default one on the host's network.
        static let capabilities: UInt64 = 0x\(String(capabilities.rawValue, radix: 16))
        /// From here on no rule of the profile depends on the kernel.
        static let oldestKernel = SeccompProfile.KernelVersion(4, 8)
        /// SHA-256 of the profile's text.
        static let digest = "\(compiled.digest)"
        /// `struct sock_filter` of x86_64, each as a number.
        static let instructions: [UInt64] = [
      \(rows.joined(separator: "\n"))
        ]
      }

      """
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Sources/Seccomp/DefaultProgram.swift")
    try Data(source.utf8).write(to: file)
  }
}
