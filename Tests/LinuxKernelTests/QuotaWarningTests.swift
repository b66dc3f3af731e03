import Testing

@testable import LinuxKernel

/// Messages of generic netlink, as bytes.
@Suite struct QuotaWarningTests {
  private func attribute(_ type: UInt16, _ content: [UInt8]) -> [UInt8] {
    let length = 4 + content.count
    return [UInt8(length & 255), UInt8(length >> 8), UInt8(type & 255), UInt8(type >> 8)] + content
      + [UInt8](repeating: 0, count: (4 - length % 4) % 4)
  }
  private func number(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
  private let header = [UInt8](repeating: 0, count: 20)

  private func warning(_ kind: UInt32) -> QuotaWarnings.Warning? {
    Netlink(
      header + attribute(1, number(2)) + attribute(2, number(7) + number(0)) + attribute(3, number(kind))
        + attribute(4, number(254)) + attribute(5, number(16)) + attribute(6, number(33) + number(0))
    ).warning
  }

  @Test func refusalsAndPassedLimitsAreToldApart() {
    let device: UInt64 = 254 << 32 | 16
    #expect(warning(4) == .init(isRefusal: true, device: device))
    #expect(warning(5) == .init(isRefusal: true, device: device))
    #expect(warning(6) == .init(isRefusal: false, device: device))
    // The same of inodes.
    for kind in [1, 2] as [UInt32] { #expect(warning(kind) == .init(isRefusal: true, device: device)) }
    #expect(warning(3) == .init(isRefusal: false, device: device))
    // Limits that are no longer exceeded.
    for kind in [0, 7, 8, 9, 10] as [UInt32] { #expect(warning(kind) == nil) }
  }

  @Test func theGroupOfAFamilyIsFound() {
    let group = attribute(1, Array("events\0".utf8)) + attribute(2, number(5))
    #expect(Netlink(header + attribute(1, [27, 0]) + attribute(7, attribute(1, group))).group == 5)
    #expect(Netlink(header + attribute(1, [27, 0])).group == nil)
  }

  @Test func whatIsCutOffIsNoWarning() {
    let whole = header + attribute(3, number(4)) + attribute(4, number(254)) + attribute(5, number(16))
    #expect(Netlink(whole).warning != nil)
    for count in 0..<whole.count { #expect(Netlink(Array(whole.prefix(count))).warning == nil) }
  }
}
