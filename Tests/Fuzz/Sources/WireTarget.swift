import LaunchModel

/// Messages between executor and init: what can be read is written as the same bytes.
func fuzzWire(_ bytes: [UInt8]) {
  var dice = Dice(bytes)
  switch dice.below(6) {
  case 0: roundTrip(InitRequest.self, dice.rest)
  case 1: roundTrip(InitEvent.self, dice.rest)
  case 2: roundTrip(LaunchPlan.self, dice.rest)
  case 3: roundTrip(ProcessSpec.self, dice.rest)
  case 4: roundTrip(ExitRecord.self, dice.rest)
  default: roundTrip(SetupStep.self, dice.rest)
  }
}

private func roundTrip<Message: WireValue>(_ type: Message.Type, _ bytes: [UInt8]) {
  guard let message = try? Message(decoding: bytes) else { return }
  promise(message.encoded == bytes, "\(type) is written otherwise than it was read")
}
