import CLinux

/// Readiness of descriptors (epoll(7)). Each registration has a token of its own, so that an event which was queued
/// before a descriptor closed cannot reach the next owner of its number.
package struct Poller: ~Copyable {
  private let descriptor: FileDescriptor

  /// The poller's own descriptor, readable when an event waits: one poller can watch another (epoll(7)).
  package var number: Int32 { descriptor.rawValue }

  package struct Event: Sendable {
    package let token: UInt64
    package let readable: Bool
    package let writable: Bool
    package let hangup: Bool
  }

  package init() throws(Errno) {
    descriptor = FileDescriptor(owning: try retrying("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) })
  }

  package func add(_ number: Int32, token: UInt64, read: Bool = true, write: Bool = false) throws(Errno) {
    try control(EPOLL_CTL_ADD, number, token: token, read: read, write: write)
  }

  package func modify(_ number: Int32, token: UInt64, read: Bool, write: Bool) throws(Errno) {
    try control(EPOLL_CTL_MOD, number, token: token, read: read, write: write)
  }

  package func remove(_ number: Int32) throws(Errno) {
    try control(EPOLL_CTL_DEL, number, token: 0, read: false, write: false)
  }

  private func control(_ operation: Int32, _ number: Int32, token: UInt64, read: Bool, write: Bool) throws(Errno) {
    var event = epoll_event()
    event.events = (read ? EPOLLIN.rawValue : 0) | (write ? EPOLLOUT.rawValue : 0)
    event.data.u64 = token
    let poller = descriptor.rawValue
    try check("epoll_ctl") { epoll_ctl(poller, operation, number, &event) }
  }

  /// Waits for events, for ever when `timeoutMilliseconds` is nil. An interrupting signal gives an empty list.
  package func wait(timeoutMilliseconds: Int32? = nil) throws(Errno) -> [Event] {
    var events = [epoll_event](repeating: epoll_event(), count: 64)
    let count = epoll_wait(descriptor.rawValue, &events, Int32(events.count), timeoutMilliseconds ?? -1)
    if count < 0 {
      let code = errno
      if code == EINTR { return [] }
      throw Errno("epoll_wait", code: code)
    }
    return events[..<Int(count)].map {
      Event(
        token: $0.data.u64, readable: $0.events & (EPOLLIN.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0,
        writable: $0.events & EPOLLOUT.rawValue != 0, hangup: $0.events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0)
    }
  }
}

/// Signals as descriptors (signalfd(2)): blocks them for this thread and returns where they can be read.
package func signalDescriptor(_ signals: [Int32]) throws(Errno) -> FileDescriptor {
  var set = sigset_t()
  sigemptyset(&set)
  for signal in signals { sigaddset(&set, signal) }
  try check("sigprocmask") { sigprocmask(SIG_BLOCK, &set, nil) }
  return FileDescriptor(
    owning: try retrying("signalfd") { signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK)) })
}

/// A signal as signalfd(2) hands it out.
package struct ReceivedSignal: Sendable, Equatable {
  package let signal: Int32
  package let pid: Int32
  package let uid: UInt32
  /// `si_code` (sigaction(2)).
  package let code: Int32

  package init(signal: Int32, pid: Int32, uid: UInt32, code: Int32) {
    (self.signal, self.pid, self.uid, self.code) = (signal, pid, uid, code)
  }

  /// Whether the kernel itself has filled in who sent it: kill(2), or the kernel on its own account. What
  /// rt_sigqueueinfo(2) and its like send carries whatever the sender likes, with a code below 0; so does tgkill(2),
  /// whose word could be believed, and which nobody stops a container with.
  package var isVouchedFor: Bool { code == 0 || code == 0x80 }  // SI_USER, SI_KERNEL
}

/// The next signal that arrived; `nil` when none waits.
package func nextSignal(_ descriptor: borrowing FileDescriptor) throws(Errno) -> ReceivedSignal? {
  var info = signalfd_siginfo()
  let number = descriptor.rawValue
  do throws(Errno) {
    _ = try retrying("read") { read(number, &info, MemoryLayout<signalfd_siginfo>.size) }
  } catch  where error.code == EAGAIN {
    return nil
  }
  return ReceivedSignal(
    signal: Int32(info.ssi_signo), pid: Int32(bitPattern: info.ssi_pid), uid: info.ssi_uid, code: info.ssi_code)
}

/// A timer that becomes readable (timerfd_create(2)), on the clock that also counts suspended time.
package struct TimerDescriptor: ~Copyable {
  package let descriptor: FileDescriptor

  package init() throws(Errno) {
    descriptor = FileDescriptor(
      owning: try retrying("timerfd_create") {
        timerfd_create(CLOCK_BOOTTIME, Int32(TFD_CLOEXEC) | Int32(TFD_NONBLOCK))
      })
  }

  /// Fires once at `instant` (`Clock.now`), or never when nil. An instant in the past fires at once.
  package func set(_ instant: UInt64?) throws(Errno) {
    var time = itimerspec()
    if let instant {
      let due = max(instant, 1)  // all zero would disarm it
      time.it_value.tv_sec = Int(due / 1_000_000_000)
      time.it_value.tv_nsec = Int(due % 1_000_000_000)
    }
    let number = descriptor.rawValue
    try check("timerfd_settime") { timerfd_settime(number, Int32(TFD_TIMER_ABSTIME), &time, nil) }
  }

  /// Takes the expiry so that the descriptor is quiet again.
  package func acknowledge() {
    _ = try? descriptor.read(upTo: 8)
  }
}

/// The clocks: one that never jumps, for intervals, and the wall's, for people.
package enum Clock {
  /// Nanoseconds since boot, suspended time included (`CLOCK_BOOTTIME`).
  package static var now: UInt64 { read(CLOCK_BOOTTIME) }
  /// Nanoseconds since boot without suspended time, the clock of the kernel's log (`CLOCK_MONOTONIC`).
  package static var monotonic: UInt64 { read(CLOCK_MONOTONIC) }
  /// Nanoseconds since 1970, UTC (`CLOCK_REALTIME`).
  package static var wall: UInt64 { read(CLOCK_REALTIME) }

  private static func read(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// `2026-11-22T10:15:00.120Z` (RFC 3339, UTC, milliseconds).
  package static func timestamp(_ wall: UInt64) -> String {
    let milliseconds = wall / 1_000_000
    let seconds = milliseconds / 1000
    let days = Int(seconds / 86400)
    let rest = Int(seconds % 86400)
    let (year, month, day) = civil(days)
    func pad(_ value: Int, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
    return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(rest / 3600, 2)):\(pad(rest / 60 % 60, 2)):"
      + "\(pad(rest % 60, 2)).\(pad(Int(milliseconds % 1000), 3))Z"
  }

  /// Year, month and day of a count of days since 1970-01-01, in the Gregorian calendar. The year is taken to start in
  /// March, so that the leap day is its last.
  package static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468  // days since 0000-03-01
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
  }
}
