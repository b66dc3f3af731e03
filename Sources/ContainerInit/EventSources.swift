/// What init waits for, by the token that the poller gives back for it.
///
/// A token has its slot in the lower half and counts in the upper one how often that was taken: what comes late for a source
/// that is gone never meets the next one in its place.
struct EventSources {
  enum Source {
    case listener, entrance, signals, drainTimer, strayTimer, workTimer
    case connection(InitChannel)
    case failure(Run)
    case log(Run, LogPump)
  }

  private struct Slot {
    var source: Source?
    var uses: UInt32 = 0
  }

  private var slots: [Slot] = []
  private var free: [Int] = []

  subscript(token: UInt64) -> Source? {
    let index = EventSources.index(token)
    guard index < slots.count, slots[index].uses == UInt32(token >> 32) else { return nil }
    return slots[index].source
  }

  /// - Returns: its token.
  mutating func add(_ source: Source) -> UInt64 {
    let index: Int
    if let last = free.popLast() {
      index = last
    } else {
      index = slots.count
      slots.append(Slot())
    }
    slots[index].source = source
    slots[index].uses &+= 1
    return UInt64(slots[index].uses) << 32 | UInt64(index)
  }

  mutating func remove(_ token: UInt64) {
    guard self[token] != nil else { return }
    slots[EventSources.index(token)].source = nil
    free.append(EventSources.index(token))
  }

  private static func index(_ token: UInt64) -> Int { Int(token & 0xffff_ffff) }
}
