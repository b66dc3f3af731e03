import LaunchModel

/// Messages between executor and init, and init's record of exits: what can be read is the same when it is written and read again.
func fuzzWire(_ bytes: [UInt8]) {
  var dice = Dice(bytes)
  switch dice.below(7) {
  case 0: roundTrip(InitRequest.self, dice.rest)
  case 1: roundTrip(InitEvent.self, dice.rest)
  case 2: roundTrip(LaunchPlan.self, dice.rest)
  case 3: roundTrip(ProcessSpec.self, dice.rest)
  case 4: roundTrip(ExitRecord.self, dice.rest)
  case 5: roundTrip(SetupStep.self, dice.rest)
  default:
    let frames = ExitRecord.records(in: dice.rest).flatMap(\.frame)
    promise(dice.rest.starts(with: frames), "a record of exits that is not the file's")
  }
}

private func roundTrip<Message: WireValue & Equatable>(_ type: Message.Type, _ bytes: [UInt8]) {
  guard let message = try? Message(decoding: bytes) else { return }
  promise((try? Message(decoding: message.encoded)) == message, "\(type) is written otherwise than it was read")
}
