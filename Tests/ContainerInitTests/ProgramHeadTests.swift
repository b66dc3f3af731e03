import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// What a file needs to be executed, from its first bytes, which may be anything.
@Suite struct ProgramHeadTests {
  @Test(
    arguments: [
      ("#!/bin/sh\n", "/bin/sh"), ("#! /usr/bin/env python3 -u\nx", "/usr/bin/env"), ("#!\t/bin/sh\t-x", "/bin/sh"),
      ("#!/bin/sh\r\n", "/bin/sh\r"), ("#!/bin/sh -x\r\n", "/bin/sh"), ("#!\n", nil), ("#!", nil),
    ] as [(String, String?)])
  func scriptsNameTheirInterpreter(text: String, interpreter: String?) {
    let head = ProgramHead(Array(text.utf8))
    #expect(head.isScript && head.machine == nil && !head.isForeign)
    #expect(head.interpreter == interpreter.map { Array($0.utf8) })
  }

  @Test func aProgramOfThisHostNamesItsLoader() throws {
    let bytes = try openFile("/proc/self/exe", O_RDONLY).read(upTo: ProgramHead.size, at: 0)
    let head = ProgramHead(bytes)
    #expect(!head.isScript && !head.isForeign && head.machine != nil)
    let loader = try #require(head.interpreter)
    #expect((try? status(of: loader)) != nil)
    // Cut anywhere, it says less and never anything else.
    for count in stride(from: 0, to: bytes.count, by: 7) {
      #expect([nil, loader].contains(ProgramHead(Array(bytes.prefix(count))).interpreter))
    }
  }

  @Test func anotherMachineIsNamedWhateverItsByteOrder() {
    var header: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1] + [UInt8](repeating: 0, count: 14)
    header[18] = 22
    #expect(ProgramHead(header).machine == "s390x" && ProgramHead(header).isForeign)
    (header[5], header[18], header[19]) = (2, 0, 20)
    #expect(ProgramHead(header).machine == "ppc")
    header[18] = 1
    #expect(ProgramHead(header).machine == "machine 276" && ProgramHead(header).isForeign)
  }

  /// A table that leads out of what was read, or round and round.
  @Test func aHeaderMayLie() {
    var header: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1] + [UInt8](repeating: 0, count: 114)
    header[32] = 64
    (header[54], header[56]) = (0, 255)
    #expect(ProgramHead(header).interpreter == nil)
    // PT_INTERP with an offset beyond all.
    (header[54], header[56], header[64]) = (56, 1, 3)
    for index in 72..<80 { header[index] = 0xff }
    header[96] = 4
    #expect(ProgramHead(header).interpreter == nil)
  }
}
