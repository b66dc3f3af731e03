import LaunchModel
import TaskStore
import Testing

/// What was launched, as executors of other versions read it.
@Suite struct LaunchRecordTests {
  private let plan = LaunchPlan(
    taskID: "t",
    identity: Identity(name: "a", uid: 1, gid: 2, groupName: "b", supplementaryGroups: []), sandbox: "/s")

  /// The plan has its length before it, and the image a byte that says it is there and its own.
  @Test func itsBytesAreThePlansAndTheImages() throws {
    let image = ProvisionedImage(reference: "a", digest: "b", id: "c")
    #expect(image.encoded == [1, 0, 0, 0, 97, 1, 0, 0, 0, 98, 1, 0, 0, 0, 99])
    let planBytes: [UInt8] = [UInt8(plan.encoded.count), 0, 0, 0] + plan.encoded
    let records: [(LaunchRecord, [UInt8])] = [
      (LaunchRecord(plan, image), planBytes + [1, 15, 0, 0, 0] + image.encoded),
      (LaunchRecord(plan, nil), planBytes + [0]),
    ]
    for (record, bytes) in records {
      #expect(record.encoded == bytes)
      #expect(try LaunchRecord(decoding: bytes) == record)
    }
  }
}
