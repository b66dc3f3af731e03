import CSeccomp

/// The numbers of system calls.
enum SystemCallNumbers {
  /// The bit that makes a number of x86_64 one of x32.
  static let x32Bit: UInt32 = 0x4000_0000

  /// `nil` when the architecture has no such call, or this libseccomp knows of none.
  static func number(_ name: String, on architecture: Architecture) -> UInt32? {
    // Libseccomp gives no number to what i386 had within socketcall and ipc alone until Linux 4.3 and 5.1.
    if architecture == .i386, let own = ownSinceLater[name] { return own }
    let number = seccomp_syscall_resolve_name_arch(architecture.token, name)
    guard number >= 0 else { return nil }
    return architecture == .x32 ? UInt32(number) | x32Bit : UInt32(number)
  }

  private static let ownSinceLater: [String: UInt32] = [
    "socket": 359, "socketpair": 360, "bind": 361, "connect": 362, "listen": 363, "accept4": 364, "getsockopt": 365,
    "setsockopt": 366, "getsockname": 367, "getpeername": 368, "sendto": 369, "sendmsg": 370, "recvfrom": 371,
    "recvmsg": 372, "shutdown": 373, "semget": 393, "semctl": 394, "shmget": 395, "shmctl": 396, "shmat": 397,
    "shmdt": 398, "msgget": 399, "msgsnd": 400, "msgrcv": 401, "msgctl": 402,
  ]
}
